import { plugins } from '../plugins/registry.ts'
import { isMapping } from './merge.ts'
import { suggestion } from './nearest.ts'
import { validate } from './schema-problems.ts'
import type { Path } from './yaml-document.ts'

/** A consumer as it is written. */
interface WrittenConsumer {
  readonly path: Path
  readonly value: Readonly<Record<string, unknown>>
}

type Report = (path: Path, message: () => string, at?: 'key' | 'value') => void

/** A credential as it is written, and where. */
interface Written {
  readonly at: Path
  readonly kind: string
  readonly credential: unknown
  readonly owner: unknown
}

/** Credentials are for plugins that take any, as their schema wants them, and no two are alike. Quotes none. */
export function checkCredentials(consumers: readonly WrittenConsumer[], report: Report): void {
  const owners = new Map<string, unknown>()
  for (const { path, value } of consumers) {
    if (!isMapping(value.credentials)) continue
    for (const [kind, list] of Object.entries(value.credentials)) {
      const at = [...path, 'credentials', kind]
      if (!plugins.get(kind)?.credentials) {
        report(at, () => noSuchKind(kind), 'key')
        continue
      }
      for (const [index, credential] of (Array.isArray(list) ? list : []).entries())
        checkCredential({ at: [...at, index], kind, credential, owner: value.name }, owners, report)
    }
  }
}

function checkCredential(
  { at, kind, credential, owner }: Written,
  owners: Map<string, unknown>,
  report: Report,
): void {
  const type = plugins.get(kind)!.credentials!
  const result = validate(type.schema, credential, masked(credential))
  if (!result.success) {
    for (const { path, message, at: part } of result.problems)
      report([...at, ...(path as Path)], () => message, part)
    return
  }
  const key = `${kind} ${type.key(result.data)}`
  const other = owners.get(key)
  if (other === undefined) owners.set(key, owner)
  else report(at, () => `consumer ${JSON.stringify(other)} has this credential already`)
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
