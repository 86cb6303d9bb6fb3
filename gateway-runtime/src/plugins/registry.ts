import type { PluginDefinition } from './contract.ts'
import { rateLimiting } from './rate-limiting/rate-limiting.ts'

// A plugin is typed by its own schema; seen from outside, its configuration is what that schema has parsed.
const known = [rateLimiting] as unknown as readonly PluginDefinition[]

/** Every plugin that a configuration can name. */
export const plugins: ReadonlyMap<string, PluginDefinition> = new Map(
  known.map((plugin) => [plugin.name, plugin]),
)
