/** One directive with its arguments, as it stands in a file. */
export interface DirectiveLine {
  readonly name: string
  readonly words: readonly string[]
  /** From 1. */
  readonly line: number
}

/**
 * Splits a file into directives: a backslash at the end of a line goes on in the next, # begins a comment line,
 * arguments are separated by blanks or quoted. In double quotes \" stands for a quote; other backslashes stay, since
 * most belong to regular expressions.
 */
export function splitDirectives(text: string): DirectiveLine[] {
  const directives: DirectiveLine[] = []
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let statement = lines[index]!.replace(/\r$/, '')
    if (statement.trim() === '' || statement.trimStart().startsWith('#')) continue
    while (statement.endsWith('\\') && index + 1 < lines.length) {
      statement = `${statement.slice(0, -1)}${lines[++index]!.trimStart().replace(/\r$/, '')}`
    }
    const [name, ...words] = splitWords(statement)
    if (name !== undefined) directives.push({ name, words, line })
  }
  return directives
}

const isBlank = (character: string | undefined) => character === ' ' || character === '\t'

function splitWords(statement: string): string[] {
  const words: string[] = []
  let position = 0
  while (position < statement.length) {
    if (isBlank(statement[position])) {
      position++
      continue
    }
    const quote = statement[position]
    const [word, end] =
      quote === '"' || quote === "'" ? quotedWord(statement, position, quote) : bareWord(statement, position)
    words.push(word)
    position = end
  }
  return words
}

function quotedWord(statement: string, start: number, quote: string): [string, number] {
  let word = ''
  let position = start + 1
  while (position < statement.length && statement[position] !== quote) {
    const escaped = statement[position] === '\\' && position + 1 < statement.length
    if (escaped && statement[position + 1] === quote) word += quote
    else word += statement.slice(position, position + (escaped ? 2 : 1))
    position += escaped ? 2 : 1
  }
  return [word, position + 1]
}

function bareWord(statement: string, start: number): [string, number] {
  let end = start
  while (end < statement.length && !isBlank(statement[end])) end++
  return [statement.slice(start, end), end]
}
