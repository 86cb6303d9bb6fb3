import type { RouteConditions } from '../config/route-conditions.ts'
import { entriesInOrder, prefixOf, type RouteEntry } from '../config/route-order.ts'
import { compilePattern } from '../config/route-pattern.ts'
import type { CompiledRoute } from '../config/snapshot.ts'
import { RequestConditions, type RoutableRequest } from './route-conditions.ts'

export interface RouteMatch<Value> {
  readonly value: Value
  /** How much of the path the route matched: what `strip_path` cuts off. */
  readonly matchedLength: number
}

/** An entry as it is looked up. That with the lowest rank that matches wins. */
interface Entry<Value> {
  readonly rank: number
  readonly value: Value
  readonly conditions: RequestConditions | undefined
}

interface PatternEntry<Value> extends Entry<Value> {
  readonly pattern: RegExp
}

/** The entries of one host, lists by rank. */
class HostTable<Value> {
  readonly exact = new Map<string, Entry<Value>[]>()
  /** By the whole prefix without a slash at its end; '' holds the routes for any path. */
  readonly prefixes = new Map<string, Entry<Value>[]>()
  readonly patterns: PatternEntry<Value>[] = []
  /** Length of the longest prefix: where a look-up begins. */
  longestPrefix = 0
  readonly lowestRank: number

  /** Entries are added by rank, the first one's is given. */
  constructor(lowestRank: number) {
    this.lowestRank = lowestRank
  }

  add(path: RouteEntry['path'], entry: Entry<Value>): void {
    if (path.kind === 'regex') {
      this.patterns.push({ ...entry, pattern: compilePattern(path.source) })
    } else if (path.kind === 'exact') {
      append(this.exact, path.path, entry)
    } else {
      const prefix = prefixOf(path.path)
      this.longestPrefix = Math.max(this.longestPrefix, prefix.length)
      append(this.prefixes, prefix, entry)
    }
  }
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

/**
 * Finds the route of a request. Where several match, the first wins by these rules (`precedence`):
 * 1. the higher `priority`;
 * 2. an exact host before a wildcard (the longer first) before any host;
 * 3. an exact path before a regular expression (the longer first) before a prefix (the longer first);
 * 4. more conditions on headers and query before fewer;
 * 5. a route that names methods before one that takes any;
 * 6. the order in the configuration.
 *
 * Prefixes match whole segments: /v1 matches /v1 and /v1/orders, not /v10. Exact paths and prefixes are looked up by
 * hash, so that the cost depends on the depth of the longest prefix and not on the number of routes; the regular
 * expressions of a host are tried in turn.
 */
export class Router<Value, R extends RouteConditions = CompiledRoute> {
  readonly #exact = new Map<string, HostTable<Value>>()
  readonly #wildcard = new Map<string, HostTable<Value>>()
  #any: HostTable<Value> | undefined
  /** Length of the longest name behind `*.`. */
  #longestWildcard = 0

  constructor(routes: readonly R[], runtimeOf: (route: R) => Value) {
    const known = new Map<R, Pick<Entry<Value>, 'value' | 'conditions'>>()
    for (const route of routes)
      known.set(route, { value: runtimeOf(route), conditions: RequestConditions.of(route) })
    for (const [rank, { route, host, path }] of entriesInOrder(routes).entries()) {
      const { value, conditions } = known.get(route)!
      this.#table(host, rank).add(path, { rank, value, conditions })
    }
  }

  match(request: RoutableRequest): RouteMatch<Value> | undefined {
    const search = new Search<Value>(request)
    const { host } = request
    if (this.#exact.size > 0) search.table(this.#exact.get(host))
    if (this.#wildcard.size > 0) {
      const first = host.indexOf('.', host.length - this.#longestWildcard - 1)
      for (let dot = first; dot >= 0; dot = host.indexOf('.', dot + 1)) {
        search.table(this.#wildcard.get(host.substring(dot + 1)))
      }
    }
    search.table(this.#any)
    return search.best && { value: search.best.value, matchedLength: search.matchedLength }
  }

  #table(host: string, rank: number): HostTable<Value> {
    if (host === '') {
      this.#any ??= new HostTable(rank)
      return this.#any
    }
    const isWildcard = host.startsWith('*.')
    const key = isWildcard ? host.substring(2) : host
    if (isWildcard) this.#longestWildcard = Math.max(this.#longestWildcard, key.length)
    const tables = isWildcard ? this.#wildcard : this.#exact
    const table = tables.get(key) ?? new HostTable<Value>(rank)
    tables.set(key, table)
    return table
  }
}

class Search<Value> {
  best: Entry<Value> | undefined
  matchedLength = 0
  readonly #request: RoutableRequest

  constructor(request: RoutableRequest) {
    this.#request = request
  }

  table(table: HostTable<Value> | undefined): void {
    if (!table || this.#isDecided(table.lowestRank)) return
    const { path } = this.#request
    if (table.exact.size > 0) this.#entries(table.exact.get(path), path.length)
    this.#patterns(table.patterns)
    const { longestPrefix, prefixes } = table
    if (prefixes.size === 0) return
    let end = path.length <= longestPrefix ? path.length : path.lastIndexOf('/', longestPrefix)
    for (; end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
      this.#entries(prefixes.get(end === path.length ? path : path.substring(0, end)), end)
    }
  }

  #entries(entries: Entry<Value>[] | undefined, length: number): void {
    if (!entries) return
    for (const entry of entries) {
      if (this.#isDecided(entry.rank)) return
      if (entry.conditions && !entry.conditions.accept(this.#request)) continue
      this.best = entry
      this.matchedLength = length
      return
    }
  }

  #patterns(entries: PatternEntry<Value>[]): void {
    for (const entry of entries) {
      if (this.#isDecided(entry.rank)) return
      if (entry.conditions && !entry.conditions.accept(this.#request)) continue
      const match = entry.pattern.exec(this.#request.path)
      if (!match) continue
      this.best = entry
      this.matchedLength = match[0].length
      return
    }
  }

  /** Whether something was found that comes before a rank. */
  #isDecided(rank: number): boolean {
    return this.best !== undefined && this.best.rank < rank
  }
}
