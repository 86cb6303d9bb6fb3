import { parseActions, parseIds, parseOperator, parseVariables } from './rule-parts.ts'
import { type Directive, type RuleSyntax, SeclangError } from './syntax.ts'
import { type DirectiveLine, splitDirectives } from './words.ts'

/** One file of rules. */
export interface RuleText {
  /** Its name, for messages. */
  readonly file: string
  readonly text: string
}

export interface ParsedText {
  readonly directives: readonly Directive[]
  readonly errors: readonly SeclangError[]
}

/** Settings of ModSecurity itself, for which the engine has its own: read over without a word. */
const settings =
  /^Sec(?:RuleEngine|RequestBody|ResponseBody|Audit|Debug|TmpDir|DataDir|Upload|Arguments?|Cookie|UnicodeMapFile|Status|Pcre|Collection|WebAppId|XmlExternalEntity|GeoLookupDb|HashEngine|HttpBl)/i

/**
 * Reads a file of SecLang. What cannot be read is an error with its place, and the rest is read on.
 * `include` is called for Include and IncludeOptional, and gives the directives of those files.
 */
export function parseSeclang(source: RuleText, include?: (pattern: string) => ParsedText): ParsedText {
  const directives: Directive[] = []
  const errors: SeclangError[] = []
  for (const line of splitDirectives(source.text)) {
    const location = `${source.file}:${line.line}`
    try {
      if (/^Include(?:Optional)?$/i.test(line.name)) {
        const included = include?.(line.words[0] ?? '')
        directives.push(...(included?.directives ?? []))
        errors.push(...(included?.errors ?? []))
      } else {
        const directive = parseDirective(line, location)
        if (directive) directives.push(directive)
      }
    } catch (error) {
      errors.push(new SeclangError(location, (error as Error).message))
    }
  }
  return { directives, errors }
}

function parseDirective({ name, words }: DirectiveLine, location: string): Directive | undefined {
  const [first = '', second = '', third = ''] = words
  switch (name.toLowerCase()) {
    case 'secrule':
      return { type: 'rule', rule: parseRule(first, second, third, location) }
    case 'secaction':
      return {
        type: 'rule',
        rule: { variables: [], operator: undefined, actions: parseActions(first), location },
      }
    case 'secmarker':
      return { type: 'marker', name: first }
    case 'secdefaultaction':
      return { type: 'default-action', actions: parseActions(first), location }
    case 'seccomponentsignature':
      return { type: 'signature', signature: first }
    case 'secruleremovebyid':
      return { type: 'remove-by-id', ranges: parseIds(words) }
    case 'secruleremovebytag':
      return { type: 'remove-by-tag', pattern: first }
    case 'secruleupdatetargetbyid':
      return { type: 'update-target', rules: { ids: parseIds([first]) }, variables: parseVariables(second) }
    case 'secruleupdatetargetbytag':
      return { type: 'update-target', rules: { tag: first }, variables: parseVariables(second) }
    default:
      if (settings.test(name)) return undefined
      throw new Error(`the directive ${name} is not supported`)
  }
}

function parseRule(variables: string, operator: string, actions: string, location: string): RuleSyntax {
  if (operator === '') throw new Error('a SecRule without an operator')
  return {
    variables: parseVariables(variables),
    operator: parseOperator(operator),
    actions: parseActions(actions),
    location,
  }
}
