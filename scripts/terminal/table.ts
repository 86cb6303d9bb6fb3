import { stripVTControlCharacters } from 'node:util'
import { bold } from './style.ts'

const width = (cell: string) => stripVTControlCharacters(cell).length

/** Lays rows out in columns as wide as their widest cell; the last one is not padded. Ends without a newline. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(width(title), ...rows.map((row) => width(row[column] ?? ''))),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join('  ')
      .trimEnd()
  return [line(head.map(bold)), ...rows.map(line)].map((text) => `  ${text}`).join('\n')
}
