/**
 * Names a plugin where other entities have their name: `route:NAME/PLUGIN`, `service:NAME/PLUGIN` or
 * `global/PLUGIN`. A plugin stands once at each scope, so this is unique, and stable over reloads.
 */
export function pluginId(plugin: {
  readonly name: string
  readonly route?: string | undefined
  readonly service?: string | undefined
}): string {
  if (plugin.route !== undefined) return `route:${plugin.route}/${plugin.name}`
  return plugin.service === undefined ? `global/${plugin.name}` : `service:${plugin.service}/${plugin.name}`
}
