import './regexp-flags.ts'

/*
 * Regular expressions of routes meet whatever clients send, so their cost must not depend on it by more than its
 * length. V8 has two engines. The one that is always there backtracks: fast, but exponential for (a+)+ and quadratic
 * for .*a.*b. The other simulates an automaton: every character once for each part of the expression. With the
 * flags of regexp-flags.ts, matching begins with the first and goes over to the second after 10,000 steps back. The second cannot
 * run every expression; those that it cannot are refused, which the flag `l` of a RegExp finds out.
 *
 * So one match takes at most 10,000 steps back, and then at most the length of the text times the size of the
 * expression: its parts with each repetition written out, `mostParts` at most.
 */

const mostParts = 512

/** Whether a text of a route is a regular expression, as `~^/v1/(\d+)` is. */
export const isPattern = (text: string): boolean => text.startsWith('~')

/** What stands behind `~`, without the `^` that it has anyway. */
export const patternSource = (text: string): string => text.replace(/^~\^?/, '')

/** Matches from the beginning of a text; where it ends is for the source to say. */
export const compilePattern = (source: string): RegExp => new RegExp(anchored(source))

const anchored = (source: string) => `^(?:${source})`

/** What is wrong with the regular expression of a text that begins with `~`, or undefined. Messages quote `shown`. */
export function patternProblem(text: string, shown: string): string | undefined {
  if (rightPatterns.has(text)) return undefined
  const problem = findProblem(text, shown)
  if (problem === undefined && rightPatterns.size < mostRightPatterns) rightPatterns.add(text)
  return problem
}

// Of thousands of routes, a change leaves all but one as they are.
const rightPatterns = new Set<string>()
const mostRightPatterns = 10_000

function findProblem(text: string, shown: string): string | undefined {
  const quoted = `"${shown}"`
  const source = patternSource(text)
  if (source === '') return `expected a regular expression after "~", found ${quoted}`
  try {
    new RegExp(source)
  } catch (error) {
    const reason = /: ([^:]*)$/.exec((error as SyntaxError).message)?.[1] ?? String(error)
    return `invalid regular expression ${quoted}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`
  }
  const construct = nonLinearConstruct(source)
  if (construct === undefined) return sizeProblem(source, quoted)
  return `the regular expression ${quoted} uses ${construct}; matching must take linear time, which it does not allow`
}

function sizeProblem(source: string, quoted: string): string | undefined {
  const size = writtenOutSize(source)
  if (size <= mostParts) return undefined
  return `the regular expression ${quoted} is too large: with its repetitions it has ${size} parts, more than ${mostParts}`
}

const token = /\((?:\?:|\?<\w+>)?|\)|\[(?:\\.|[^\]])*\]|\{\d+(?:,\d*)?\}|\\.|./gs

/** How many parts an expression has when what is repeated up to n times stands there n times. */
function writtenOutSize(source: string): number {
  const groups = [0]
  let last = 0
  const add = (size: number) => groups.push(groups.pop()! + size)
  for (const [text] of source.matchAll(token)) {
    if (text.startsWith('(')) groups.push(0)
    else if (/^\{\d/.test(text)) add(last * (Math.max(...text.match(/\d+/g)!.map(Number), 1) - 1))
    else if (!/^[*+?|]$/.test(text)) {
      last = text === ')' ? groups.pop()! : text.startsWith('[') ? text.length : 1
      add(last)
    }
  }
  return groups[0]!
}

const lookaround = /^\((\?=|\?!|\?<=|\?<!)/
const backreference = /^\\([1-9]|k<)/
const modifiers = /^\(\?[a-z-]+:/

/** Why the linear engine cannot run an expression, in words of the expression. */
function nonLinearConstruct(source: string): string | undefined {
  let inClass = false
  for (let index = 0; index < source.length; index++) {
    const character = source[index]
    const rest = source.slice(index, index + 8)
    if (!inClass && lookaround.test(rest)) return `lookaround ("${lookaround.exec(rest)![0]}")`
    if (!inClass && backreference.test(rest)) return `a backreference ("${backreference.exec(rest)![0]}")`
    if (!inClass && modifiers.test(rest)) return `modifiers ("${modifiers.exec(rest)![0]}")`
    if (character === '\\') index++
    else if (character === '[') inClass = true
    else if (character === ']') inClass = false
  }
  if (isLinear(source)) return undefined
  return 'a part that is repeated more than 16 times, by itself or with what it stands in ("x{20}" can be "x{10}x{10}")'
}

/** Asks the linear engine itself. */
function isLinear(source: string): boolean {
  try {
    new RegExp(anchored(source), 'l')
    return true
  } catch {
    return false
  }
}
