import { compilePattern } from '../config/route-pattern.ts'
import type { CompiledRoute, ValueMatcher } from '../config/snapshot.ts'
import { queryParameter } from './query-parameter.ts'

/** What routes are chosen by. */
export interface RoutableRequest {
  readonly method: string
  /** Lower-case and without port. */
  readonly host: string
  /** In the form of `normalizeTarget`. */
  readonly path: string
  /** With its question mark, or ''. */
  readonly query: string
  /** The first value; the name is given in lower case. */
  header(name: string): string | undefined
}

interface ValueCondition {
  readonly name: string
  readonly values: readonly string[]
  readonly patterns: readonly RegExp[]
}

const compileValue = ({ name, values, patterns }: ValueMatcher): ValueCondition => ({
  name,
  values,
  patterns: patterns.map(compilePattern),
})

/** What a route asks of a request besides host and path. */
export class RequestConditions {
  readonly #methods: readonly string[]
  readonly #headers: readonly ValueCondition[]
  readonly #query: readonly ValueCondition[]

  /** Undefined for a route that asks nothing more. */
  static of(route: Pick<CompiledRoute, 'methods' | 'headers' | 'query'>): RequestConditions | undefined {
    const count = route.methods.length + route.headers.length + route.query.length
    return count === 0 ? undefined : new RequestConditions(route)
  }

  private constructor({ methods, headers, query }: Pick<CompiledRoute, 'methods' | 'headers' | 'query'>) {
    this.#methods = methods
    this.#headers = headers.map(compileValue)
    this.#query = query.map(compileValue)
  }

  accept(request: RoutableRequest): boolean {
    return this.#takesMethod(request) && !this.#missingHeader(request) && !this.#missingParameter(request)
  }

  /** The first condition that a request does not meet, for people: `header x-tenant`; undefined where it meets all. */
  firstUnmet(request: RoutableRequest): string | undefined {
    if (!this.#takesMethod(request)) return 'method'
    const header = this.#missingHeader(request)
    if (header) return `header ${header.name}`
    const parameter = this.#missingParameter(request)
    return parameter && `query ${parameter.name}`
  }

  #takesMethod({ method }: RoutableRequest): boolean {
    return this.#methods.length === 0 || this.#methods.includes(method)
  }

  #missingHeader(request: RoutableRequest): ValueCondition | undefined {
    for (const condition of this.#headers) {
      if (!accepts(condition, request.header(condition.name))) return condition
    }
    return undefined
  }

  #missingParameter({ query }: RoutableRequest): ValueCondition | undefined {
    for (const condition of this.#query) {
      if (!accepts(condition, queryParameter(query, condition.name))) return condition
    }
    return undefined
  }
}

function accepts({ values, patterns }: ValueCondition, value: string | undefined): boolean {
  if (value === undefined) return false
  if (values.includes(value)) return true
  for (const pattern of patterns) if (pattern.test(value)) return true
  return false
}
