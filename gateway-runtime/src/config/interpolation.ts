import { resolve } from 'node:path'
import { remembered } from './remembered.ts'
import { readTextFile, UnreadableFile } from './text-file.ts'
import type { Path } from './yaml-document.ts'

/** Says that a reference cannot be resolved. */
export type ReportReference = (path: Path, message: string) => void

const reference = /\$\{(env|file):([^}]*)(\}?)/g
// Entities are found by these in the text of a file, so they are plain there.
const nameKeys: ReadonlySet<PropertyKey> = new Set(['name', 'service', 'route', 'upstream'])
const isName = (path: Path) => path.length === 3 && typeof path[1] === 'number' && nameKeys.has(path[2]!)

/**
 * Replaces `${env:NAME}` by a variable of the environment and `${file:PATH}` by the content of a file, without the
 * newline at its end, in all texts of a value but names of entities. Relative paths begin at `folder`. A reference
 * that cannot be resolved is reported and stays. Values without any stay the same objects.
 */
export function interpolate(value: unknown, folder: string, report: ReportReference): unknown {
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      if (!value.includes('${') || isName(path)) return value
      return value.replace(reference, (whole, kind: string, name: string, end: string) => {
        const found = end === '' ? { problem: `${whole} has no closing brace` } : lookUp(kind, name, folder)
        if ('text' in found) return found.text
        report(path, found.problem)
        return whole
      })
    }
    if (typeof value !== 'object' || value === null || isPlain(value)) return value
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]))
  }
  return walk(value, [])
}

/** Whether nothing in a mapping or list is a reference. */
const isPlain: (value: object) => boolean = remembered((value) =>
  Object.values(value).every((item) => {
    if (typeof item === 'string') return !item.includes('${')
    return typeof item !== 'object' || item === null || isPlain(item)
  }),
)

type Found = { readonly text: string } | { readonly problem: string }

function lookUp(kind: string, name: string, folder: string): Found {
  if (kind === 'env') {
    const text = process.env[name]
    return text === undefined
      ? { problem: `environment variable ${JSON.stringify(name)} is not set` }
      : { text }
  }
  try {
    return { text: readTextFile(resolve(folder, name)).replace(/\r?\n$/, '') }
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    return { problem: `file ${JSON.stringify(name)} cannot be read: ${error.message}` }
  }
}
