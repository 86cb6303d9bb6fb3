/** A text as one word of bash, whatever it holds. */
export const quote = (text: string | number) => `'${String(text).replaceAll("'", `'\\''`)}'`

/**
 * A here-document that bash takes literally. The delimiter is one that no line of the text equals; a text without a
 * line end gets one.
 */
export function hereDocument(text: string): string {
  const lines = new Set(text.split('\n'))
  let delimiter = 'END_OF_FILE'
  for (let suffix = 1; lines.has(delimiter); suffix++) delimiter = `END_OF_FILE_${suffix}`
  return `<<'${delimiter}'\n${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${delimiter}`
}
