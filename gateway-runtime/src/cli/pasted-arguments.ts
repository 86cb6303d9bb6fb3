const dash = '[-\u2010-\u2015\u2212]' // hyphens, en and em dashes, minus
const prettyDash = /[\u2010-\u2015\u2212]/
const leadingDashes = new RegExp(`^${dash}+(?=[A-Za-z0-9])`)
const startsWithDash = new RegExp(`^${dash}`)
const space = /[\u00a0\u2007\u202f]/ // that does not break
// Editors of text close a quotation with a prime behind a digit.
const doubleQuotes = '“”„‟″'
const singleQuotes = '‘’‚‛′'
const openQuote = new RegExp(`^(${dash}*[\\w-]+=)?([${doubleQuotes}${singleQuotes}])`)

/**
 * Mends the arguments of a command that was pasted from a web page or a text processor, where dashes, quotes and
 * spaces are made pretty:
 *
 * - dashes at the beginning become hyphens: `–name` is `--name`, `–c` is `-c`, `–5` is `-5`;
 * - `“limit=1000,` `period=second”` become the one argument that curly quotes stand around;
 * - a space that does not break separates arguments, but within a quotation or settings it is a space;
 * - curly quotes within JSON become straight.
 *
 * Other arguments pass as they are.
 */
export function mendPastedArguments(given: readonly string[]): string[] {
  const mended: string[] = []
  const rest = given.flatMap(splitAtSpaces)
  while (rest.length > 0) {
    const quotation = takeQuotation(rest)
    mended.push(straightenJson(quotation ?? mendDashes(rest.shift()!)))
  }
  return mended
}

/** Settings (`limit=1000, period=second`) and JSON hold spaces; names and paths do not. */
function splitAtSpaces(argument: string): string[] {
  if (!space.test(argument)) return [argument]
  const pieces: string[] = []
  for (const piece of argument.split(space).filter((text) => text !== '')) {
    const before = pieces.at(-1)
    const isSettings = before !== undefined && /[={“‘]/.test(before) && !startsWithDash.test(piece)
    if (isSettings) pieces.push(`${pieces.pop()} ${piece}`)
    else pieces.push(piece)
  }
  return pieces
}

/** Takes arguments from an opening to a closing curly quote away and returns what stands between; else undefined. */
function takeQuotation(rest: string[]): string | undefined {
  const open = openQuote.exec(rest[0]!)
  if (!open) return undefined
  const [whole, option = '', quote] = open
  const closing = new RegExp(`[${doubleQuotes.includes(quote!) ? doubleQuotes : singleQuotes}]$`)
  const last = rest.findIndex((argument, index) =>
    closing.test(index === 0 ? argument.slice(whole.length) : argument),
  )
  if (last < 0) return undefined
  const text = rest.splice(0, last + 1).join(' ')
  return mendDashes(option) + text.slice(whole.length, -1)
}

function mendDashes(argument: string): string {
  const dashes = leadingDashes.exec(argument)?.[0]
  if (dashes === undefined || !prettyDash.test(dashes)) return argument
  const word = argument.slice(dashes.length)
  const isShort = word.length === 1 || /^\d/.test(word)
  return (isShort ? '-' : '--') + word
}

const straightenJson = (argument: string) =>
  argument.startsWith('{') && !isJson(argument)
    ? argument.replace(new RegExp(`[${doubleQuotes}]`, 'g'), '"')
    : argument

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
