import type { ProblemList } from './configuration-error.ts'
import { display } from './schema-problems.ts'
import type { Path, Place } from './yaml-document.ts'
import type { YamlSource } from './yaml-source.ts'

/** Keys whose lists, of all files, are put one behind the other. Any other key stands in one file. */
export const listKeys = [
  'listeners',
  'services',
  'routes',
  'upstreams',
  'consumers',
  'plugins',
  'certificates',
] as const
const lists: ReadonlySet<string> = new Set(listKeys)

/** The files of a folder as one value that still knows where each part came from. */
export interface Merged {
  readonly value: Readonly<Record<string, unknown>>
  /** Place of a path of the merged value; the `path` of the place is that within its file. */
  place(path: Path, at?: 'key' | 'value'): Place
}

interface Origin {
  readonly source: YamlSource
  /** Index in the list of the file. */
  readonly index: number
}

/**
 * Merges files. A key without a value counts as left out, so that all entries of a list can be commented out.
 * Reports files that are no mapping, lists that are none, and keys that stand in a second file.
 */
export function merge(sources: readonly YamlSource[], problems: ProblemList): Merged {
  const value: Record<string, unknown> = Object.create(null)
  const single = new Map<string, YamlSource>()
  const origins = new Map<string, Origin[]>()
  const report = (place: Place, message: string) => problems.add(() => ({ ...place, message }))

  const addList = (source: YamlSource, key: string, items: unknown) => {
    if (!Array.isArray(items)) {
      return report(source.place([key]), `expected a list of ${key}, found ${display(items)}`)
    }
    value[key] = [...((value[key] as unknown[] | undefined) ?? []), ...items]
    const known = origins.get(key) ?? []
    origins.set(key, known)
    for (const index of items.keys()) known.push({ source, index })
  }
  const addSingle = (source: YamlSource, key: string, item: unknown) => {
    const other = single.get(key)
    if (other) {
      const { file, line, column } = other.place([key], 'key')
      const message = `"${key}" stands in ${file}:${line}:${column} already; it may stand in one file only`
      return report(source.place([key], 'key'), message)
    }
    single.set(key, source)
    value[key] = item
  }

  for (const source of sources) {
    if (!isMapping(source.value)) {
      report(
        source.place([]),
        `expected a mapping of keys, such as "services:", found ${display(source.value)}`,
      )
      continue
    }
    for (const [key, item] of Object.entries(source.value)) {
      if (item === null) continue
      if (lists.has(key)) addList(source, key, item)
      else addSingle(source, key, item)
    }
  }

  return {
    value: { ...value },
    place(path, at) {
      const [key, index, ...rest] = path
      const origin = origins.get(String(key))?.[Number(index)]
      if (origin) return origin.source.place([key!, origin.index, ...rest], at)
      const source = single.get(String(key)) ?? origins.get(String(key))?.[0]?.source ?? sources[0]!
      return source.place(path, at)
    },
  }
}

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
