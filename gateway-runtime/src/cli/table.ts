import { stripVTControlCharacters, styleText } from 'node:util'

const width = (cell: string) => stripVTControlCharacters(cell).length

/** Rows in columns as wide as their widest cell, two spaces between; ends without a newline. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(width(title), ...rows.map((row) => width(row[column] ?? ''))),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(widths[column]! - width(cell)))
      .join('  ')
      .trimEnd()
  return [line(head.map((title) => styleText('bold', title))), ...rows.map(line)].join('\n')
}
