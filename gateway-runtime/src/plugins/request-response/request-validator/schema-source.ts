import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { RE2JS } from 're2js'
import { patternProblem } from '../../../config/route-pattern.ts'

const rootName = 'document'
const longestPlace = 200

/** Where something stands in a document: the names on the way to it. */
export type Place = readonly string[]

/** What is wrong with a document or schema, and where. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly place: Place

  constructor(place: Place, message: string) {
    super(message)
    this.place = place
  }
}

/** A JSON pointer (RFC 6901) as a fragment: `#/paths/~1items`. */
export const pointerOf = (place: Place): string =>
  `#${place.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`

/** Where a reference inside the document leads; undefined where it leads elsewhere. */
export function placeOf(reference: string): Place | undefined {
  if (reference === '#') return []
  if (!reference.startsWith('#/')) return undefined
  try {
    return decodeURIComponent(reference.slice(2))
      .split('/')
      .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
  } catch {
    return undefined
  }
}

/** A document that has schemas in it: JSON Schema, draft 2020-12, as OpenAPI 3.1 has them. */
export class SchemaSource {
  readonly #root: unknown
  readonly #ajv: Ajv2020

  /** @throws DocumentError */
  constructor(root: unknown) {
    this.#root = root
    this.#ajv = newValidator()
    at([], () => this.#ajv.addSchema(root as object, rootName, undefined, false))
  }

  /** What stands at a place; undefined for nothing. */
  at(place: Place): unknown {
    let value = this.#root
    for (const name of place) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
      value = (value as Record<string, unknown>)[name]
    }
    return value
  }

  /**
   * The validator of the schema at a place.
   * @throws DocumentError where it is none, or refers to nothing
   */
  compile(place: Place): ValidateFunction {
    this.check(place)
    const pointer = pointerOf(place.map(encodeURIComponent))
    return at(place, () => this.#ajv.compile({ $ref: `${rootName}${pointer}` }))
  }

  /** @throws DocumentError where what stands at a place is no schema */
  check(place: Place): void {
    const schema = this.at(place)
    if (
      typeof schema !== 'boolean' &&
      (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    )
      throw new DocumentError(place, 'no JSON Schema: expected a mapping, true or false')
    if (at(place, () => this.#ajv.validateSchema(schema))) return
    const [error] = this.#ajv.errors!
    const inside = placeOf(`#${error!.instancePath}`) ?? []
    throw new DocumentError([...place, ...inside], `no JSON Schema: ${error!.message}`)
  }
}

function at<Result>(place: Place, act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    throw new DocumentError(place, `no JSON Schema: ${(error as Error).message}`)
  }
}

/** Sentences that say which part of a value breaks which rule. */
export const describeErrors = (errors: readonly ErrorObject[] | null | undefined, what: string): string[] =>
  (errors ?? []).map(
    ({ instancePath, message }) => `${what}${instancePath.slice(0, longestPlace)} ${message}`,
  )

/** Stops at the first error: how many there are is for the client to choose. */
function newValidator(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: false, // OpenAPI brings keywords of its own
    validateFormats: false,
    logger: false,
    code: { regExp: linearRegExp },
  })
  ajv.removeKeyword('uniqueItems')
  return ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (wanted: boolean) => (wanted ? hasNoDuplicates : () => true),
    error: { message: 'must NOT have duplicate items' },
  })
}

/** In time that grows with the size of the list, not with its square. */
function hasNoDuplicates(items: readonly unknown[]): boolean {
  const seen = new Set<string>()
  return items.every((item) => seen.size < seen.add(JSON.stringify(item, sortKeys)).size)
}

const sortKeys = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** `pattern` meets what clients send: only what matches in linear time is taken. */
function linearRegExp(pattern: string, flags: string): RegExp | LinearRegExp {
  const problem = pattern === '' ? undefined : patternProblem(`~${pattern}`, pattern)
  if (problem === undefined) return new RegExp(pattern, flags.replace('u', ''))
  try {
    return new LinearRegExp(pattern)
  } catch {
    throw new Error(problem)
  }
}
linearRegExp.code = 'linearRegExp'

/** What V8's linear engine does not take, such as `[a-z]{1,64}`. */
class LinearRegExp {
  readonly #pattern: ReturnType<typeof RE2JS.compile>

  constructor(source: string) {
    this.#pattern = RE2JS.compile(RE2JS.translateRegExp(source))
  }

  test(text: string): boolean {
    return this.#pattern.matcher(text).find()
  }
}
