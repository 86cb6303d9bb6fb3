import { plugins } from '../plugins/registry.ts'
import { isMapping } from './merge.ts'
import { suggestion } from './nearest.ts'
import { validate } from './schema-problems.ts'
import type { Path } from './yaml-source.ts'

/** A consumer as it is written. */
interface WrittenConsumer {
  readonly path: Path
  readonly value: Readonly<Record<string, unknown>>
}

type Report = (path: Path, message: () => string, at?: 'key' | 'value') => void

/** Credentials are for plugins that take any, as their schema wants them, and no two are alike. Quotes none. */
export function checkCredentials(consumers: readonly WrittenConsumer[], report: Report): void {
  const owners = new Map<string, unknown>()
  for (const { path, value } of consumers) {
    if (!isMapping(value.credentials)) continue
    for (const [kind, list] of Object.entries(value.credentials)) {
      const at = [...path, 'credentials', kind]
      const type = plugins.get(kind)?.credentials
      if (!type) {
        report(at, () => noSuchKind(kind), 'key')
        continue
      }
      for (const [index, credential] of (Array.isArray(list) ? list : []).entries()) {
        const result = validate(type.schema, credential, masked(credential))
        if (result.success) {
          const key = `${kind} ${type.key(result.data)}`
          const owner = owners.get(key)
          if (owner !== undefined)
            report([...at, index], () => `consumer ${JSON.stringify(owner)} has this credential already`)
          else owners.set(key, value.name)
          continue
        }
        for (const problem of result.problems)
          report([...at, index, ...(problem.path as Path)], () => problem.message, problem.at)
      }
    }
  }
}

function noSuchKind(kind: string): string {
  const known = [...plugins.values()].filter(({ credentials }) => credentials).map(({ name }) => name)
  return `no plugin takes credentials called ${JSON.stringify(kind)}${suggestion(kind, known) || `; these do: ${known.join(', ')}`}`
}

/** With nothing in it that could be a secret. */
const masked = (credential: unknown): unknown =>
  isMapping(credential)
    ? Object.fromEntries(
        Object.entries(credential).map(([key, value]) => [key, typeof value === 'string' ? '…' : value]),
      )
    : credential
