/** What a plugin is limited to. */
export interface PluginScope {
  readonly route?: string | undefined
  readonly service?: string | undefined
  readonly consumer?: string | undefined
}

/**
 * Names a plugin where other entities have their name: by its scope, `global/PLUGIN`, `route:NAME/PLUGIN`,
 * `service:NAME/PLUGIN`, `consumer:NAME/PLUGIN` or `route:NAME,consumer:NAME/PLUGIN`. A plugin stands once at each
 * scope, so this is unique, and stable over reloads.
 */
export function pluginId({
  name,
  route,
  service,
  consumer,
}: PluginScope & { readonly name: string }): string {
  const scope = Object.entries({ route, service, consumer })
    .filter(([, entity]) => entity !== undefined)
    .map(([key, entity]) => `${key}:${entity}`)
  return `${scope.join() || 'global'}/${name}`
}

/** Name and scope of a plugin from its id; undefined where that is none. */
export function parsePluginId(id: string): (PluginScope & { readonly name: string }) | undefined {
  const match = /^(?:global|(?:(route|service):([^/,]+))?,?(?:consumer:([^/,]+))?)\/([^/]+)$/.exec(id)
  if (!match) return undefined
  const [, kind, entity, consumer, name] = match
  const scope = {
    ...(kind !== undefined && { [kind]: entity }),
    ...(consumer !== undefined && { consumer }),
  }
  const parsed = { name: name!, ...scope }
  return pluginId(parsed) === id ? parsed : undefined
}

/** Scope and name as far as they are texts. */
export function pluginIdOf(entity: Readonly<Record<string, unknown>>): string {
  const text = (key: string) => (typeof entity[key] === 'string' ? entity[key] : undefined)
  return pluginId({
    name: String(entity.name),
    route: text('route'),
    service: text('service'),
    consumer: text('consumer'),
  })
}
