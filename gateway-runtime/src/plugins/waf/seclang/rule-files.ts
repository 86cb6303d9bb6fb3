import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { type ParsedText, parseSeclang } from './parse.ts'
import { type Directive, SeclangError } from './syntax.ts'

/** Includes within includes; more is a loop. */
const maxIncludeDepth = 10

/**
 * Reads the rules of a folder, or of one file. In a folder that is `owasp-crs.load` where there is one (as in Debian's
 * modsecurity-crs), otherwise the layout of a release of the Core Rule Set (crs-setup.conf or its example, plugins,
 * rules/*.conf), otherwise all *.conf. Throws where the path cannot be read or holds no rules.
 */
export function readRules(path: string): ParsedText {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found)
    throw new Error(
      `${path} is not there; install the package modsecurity-crs, or set rules of the plugin waf`,
    )
  const files = found.isDirectory() ? entryFiles(path) : [path]
  if (files.length === 0)
    throw new Error(`${path}: no rules here; expected owasp-crs.load, rules/*.conf or *.conf`)
  return joined(files.map((file) => readFile(file, 0)))
}

function entryFiles(folder: string): string[] {
  const names = readdirSync(folder).sort()
  if (names.includes('owasp-crs.load')) return [join(folder, 'owasp-crs.load')]
  const setup = ['crs-setup.conf', 'crs-setup.conf.example'].find((name) => names.includes(name))
  if (setup === undefined) return matching(join(folder, '*.conf'))
  const plugins = (kind: string) => matching(join(folder, 'plugins', `*-${kind}.conf`))
  const rules = matching(join(folder, 'rules', '*.conf'))
  return [join(folder, setup), ...plugins('config'), ...plugins('before'), ...rules, ...plugins('after')]
}

/** Files that a path with * and ? in its last part names, in alphabetical order. */
function matching(pattern: string): string[] {
  const name = basename(pattern)
  if (!/[*?]/.test(name)) return [pattern]
  const expression = new RegExp(
    `^${name
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')}$`,
  )
  const folder = dirname(pattern)
  try {
    const names = readdirSync(folder).filter((entry) => expression.test(entry))
    return names.sort().map((entry) => join(folder, entry))
  } catch {
    return []
  }
}

function readFile(file: string, depth: number): ParsedText {
  if (depth > maxIncludeDepth) throw new Error(`${file}: included too deeply`)
  // Rules are bytes to us, as requests are: latin1 keeps every one of them.
  const text = readFileSync(file, 'latin1')
  const parsed = parseSeclang({ file, text }, (pattern) => {
    const path = isAbsolute(pattern) ? pattern : join(dirname(file), pattern)
    return joined(matching(path).map((included) => readIncluded(included, depth + 1)))
  })
  return {
    directives: parsed.directives.map((directive) => withDataFile(directive, file)),
    errors: parsed.errors,
  }
}

function readIncluded(file: string, depth: number): ParsedText {
  try {
    return readFile(file, depth)
  } catch (error) {
    return { directives: [], errors: [new SeclangError(file, (error as Error).message)] }
  }
}

/** Names of data files are relative to the file of the rule. */
function withDataFile(directive: Directive, file: string): Directive {
  if (directive.type !== 'rule') return directive
  const { operator } = directive.rule
  if (!operator || !['pmfromfile', 'pmf', 'ipmatchfromfile', 'ipmatchf'].includes(operator.name))
    return directive
  const argument = operator.argument
    .split(/\s+/)
    .map((name) => (isAbsolute(name) ? name : join(dirname(file), name)))
    .join(' ')
  return { type: 'rule', rule: { ...directive.rule, operator: { ...operator, argument } } }
}

const joined = (parts: readonly ParsedText[]): ParsedText => ({
  directives: parts.flatMap(({ directives }) => directives),
  errors: parts.flatMap(({ errors }) => errors),
})
