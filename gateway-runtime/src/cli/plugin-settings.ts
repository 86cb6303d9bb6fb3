import { CliError } from './cli-error.ts'

/**
 * Reads the settings of a plugin: `limit=1000, period=second`, or JSON that begins with `{`. Numbers and booleans are
 * such; what should be a text though it looks like one needs JSON, as does what has parts.
 * @throws CliError
 */
export function parsePluginSettings(text: string): Record<string, unknown> {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) return parseJson(trimmed)
  const settings = new Map<string, unknown>()
  for (const part of trimmed.split(',').map((piece) => piece.trim())) {
    if (part === '') continue
    const [, key, value] = /^([\w-]+)\s*=\s*(.*)$/s.exec(part) ?? []
    if (key === undefined || value === undefined) {
      throw new CliError(
        `cannot read ${JSON.stringify(part)} in --config; write settings as "limit=1000, period=second", or as JSON`,
        2,
      )
    }
    if (settings.has(key)) throw new CliError(`--config has ${key} twice`, 2)
    settings.set(key, typed(value))
  }
  return Object.fromEntries(settings)
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError(`--config begins as JSON but is not: ${(error as Error).message}`, 2)
  }
}

function typed(value: string): unknown {
  if (/^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(value)) return Number(value)
  if (value === 'true' || value === 'false') return value === 'true'
  return value
}
