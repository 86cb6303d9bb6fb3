/** The regular expression of a path such as `~^/v1/(\d+)`: what stands behind `~`, without the `^` that it has anyway. */
export const patternSource = (path: string): string => path.replace(/^~\^?/, '')

/** What is wrong with the regular expression of a path that begins with `~`, or undefined. Messages quote `shown`. */
export function patternProblem(path: string, shown: string): string | undefined {
  const quoted = `"${shown}"`
  if (patternSource(path) === '') return `expected a regular expression after "~", found ${quoted}`
  try {
    new RegExp(patternSource(path))
  } catch (error) {
    const reason = /: ([^:]*)$/.exec((error as SyntaxError).message)?.[1] ?? String(error)
    return `invalid regular expression ${quoted}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`
  }
  const construct = nonLinearConstruct(patternSource(path))
  if (construct === undefined) return undefined
  return `the regular expression ${quoted} uses ${construct}; matching must take linear time, which it does not allow`
}

const group = /^\((\?=|\?!|\?<=|\?<!)/
const backreference = /^\\([1-9]|k<)/

function nonLinearConstruct(source: string): string | undefined {
  let inClass = false
  for (let index = 0; index < source.length; index++) {
    const character = source[index]
    const rest = source.slice(index, index + 4)
    if (!inClass && group.test(rest)) return `lookaround ("${group.exec(rest)![0]}")`
    if (!inClass && backreference.test(rest)) return `a backreference ("${backreference.exec(rest)![0]}")`
    if (character === '\\') index++
    else if (character === '[') inClass = true
    else if (character === ']') inClass = false
  }
  return undefined
}
