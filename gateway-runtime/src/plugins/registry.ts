import type { PluginDefinition } from './contract.ts'
import { rateLimiting } from './rate-limiting/rate-limiting.ts'

/** Every plugin that a configuration can name. */
export const plugins: ReadonlyMap<string, PluginDefinition> = new Map(
  [rateLimiting as unknown as PluginDefinition].map((plugin) => [plugin.name, plugin]),
)
