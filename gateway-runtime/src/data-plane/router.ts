import { literalPrefix } from '../config/pattern-extent.ts'
import type { RouteConditions } from '../config/route-conditions.ts'
import { entriesInOrder, prefixOf } from '../config/route-order.ts'
import { compilePattern } from '../config/route-pattern.ts'
import type { CompiledRoute, PathMatcher } from '../config/snapshot.ts'
import { RequestConditions, type RoutableRequest } from './route-conditions.ts'

export interface RouteMatch<Value> {
  readonly value: Value
  /** How much of the path the route matched: what `strip_path` cuts off. */
  readonly matchedLength: number
}

/** A way into a route as it is looked up. The one with the lowest rank that matches wins. */
interface Entry<Value> {
  readonly rank: number
  readonly value: Value
  readonly conditions: RequestConditions | undefined
  /** The next by rank at the same place. */
  readonly next: Entry<Value> | undefined
}

interface PatternEntry<Value> extends Entry<Value> {
  readonly next: PatternEntry<Value> | undefined
  /** What all that it matches begins with: most paths need no more than a look at that. */
  readonly start: string
  readonly pattern: RegExp
}

/** The entries of one host. */
class HostTable<Value> {
  readonly exact = new Map<string, Entry<Value>>()
  /** By the whole prefix without a slash at its end; '' holds the routes for any path. */
  readonly prefixes = new Map<string, Entry<Value>>()
  patterns: PatternEntry<Value> | undefined
  /** Length of the longest prefix: where a look-up begins. */
  longestPrefix = 0
  lowestRank = Number.POSITIVE_INFINITY
  /** Whether a longer prefix always comes before a shorter one: where all routes have one priority. */
  longestFirst = true
  #lastLength = 0

  /** Entries come from the last to the first, so that each stands before those that it precedes. */
  add(path: PathMatcher, entry: Omit<Entry<Value>, 'next'>): void {
    this.lowestRank = entry.rank
    if (path.kind === 'regex') {
      const { source } = path
      const pattern = compilePattern(source)
      this.patterns = { ...entry, start: literalPrefix(source), pattern, next: this.patterns }
    } else if (path.kind === 'exact') {
      this.exact.set(path.path, { ...entry, next: this.exact.get(path.path) })
    } else {
      const prefix = prefixOf(path.path)
      this.longestPrefix = Math.max(this.longestPrefix, prefix.length)
      this.longestFirst &&= prefix.length >= this.#lastLength
      this.#lastLength = prefix.length
      this.prefixes.set(prefix, { ...entry, next: this.prefixes.get(prefix) })
    }
  }
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
 * expressions of a host are tried in turn, where the path begins as they do.
 */
export class Router<Value, R extends RouteConditions = CompiledRoute> {
  readonly #exact = new Map<string, HostTable<Value>>()
  readonly #wildcard = new Map<string, HostTable<Value>>()
  #any: HostTable<Value> | undefined
  /** Length of the longest name behind `*.`. */
  #longestWildcard = 0

  constructor(routes: readonly R[], runtimeOf: (route: R) => Value) {
    const parts = routes.map((route) => ({
      value: runtimeOf(route),
      conditions: RequestConditions.of(route),
    }))
    const entries = entriesInOrder(routes)
    for (let rank = entries.length - 1; rank >= 0; rank--) {
      const { index, host, path } = entries[rank]!
      const { value, conditions } = parts[index]!
      this.#table(host).add(path, { rank, value, conditions })
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

  #table(host: string): HostTable<Value> {
    if (host === '') {
      this.#any ??= new HostTable()
      return this.#any
    }
    const isWildcard = host.startsWith('*.')
    const key = isWildcard ? host.substring(2) : host
    if (isWildcard) this.#longestWildcard = Math.max(this.#longestWildcard, key.length)
    const tables = isWildcard ? this.#wildcard : this.#exact
    const table = tables.get(key) ?? new HostTable<Value>()
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
      const entry = prefixes.get(end === path.length ? path : path.substring(0, end))
      if (this.#entries(entry, end) && table.longestFirst) return
    }
  }

  /** Whether one of them is the best by now. */
  #entries(first: Entry<Value> | undefined, length: number): boolean {
    for (let entry = first; entry && !this.#isDecided(entry.rank); entry = entry.next) {
      if (entry.conditions && !entry.conditions.accept(this.#request)) continue
      this.best = entry
      this.matchedLength = length
      return true
    }
    return false
  }

  #patterns(first: PatternEntry<Value> | undefined): void {
    const { path } = this.#request
    for (let entry = first; entry && !this.#isDecided(entry.rank); entry = entry.next) {
      if (!path.startsWith(entry.start)) continue
      if (entry.conditions && !entry.conditions.accept(this.#request)) continue
      const match = entry.pattern.exec(path)
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
