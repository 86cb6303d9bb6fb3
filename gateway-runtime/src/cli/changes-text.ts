import { styleText } from 'node:util'
import type { EntityChange } from '../config/index.ts'

const signs = { add: ['+', 'green'], update: ['~', 'yellow'], delete: ['-', 'red'] } as const

/** Changes for people: an entity a line, with what is other below it. */
export function changesText(changes: readonly EntityChange[]): string {
  if (changes.length === 0) return 'Nothing is other.'
  const counts = Map.groupBy(changes, ({ change }) => change)
  const summary = [...counts].map(([change, { length }]) => `${length} to ${change}`).join(', ')
  const lines = changes.flatMap(({ entity, change, fields }) => {
    const [sign, color] = signs[change]
    const details =
      change === 'update'
        ? fields.map(({ path, before, after }) => `    ${path}: ${text(before)} → ${text(after)}`)
        : []
    return [styleText(color, `${sign} ${entity}`), ...details]
  })
  return [...lines, `${summary}.`].join('\n')
}

const text = (value: unknown): string => (value === undefined ? 'default' : JSON.stringify(value))
