import type { CompiledRedirect, CompiledRoute } from '../config/snapshot.ts'
import type { Exchange } from './exchange.ts'
import { PathRewriter } from './path-rewriter.ts'

const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443 }

/** What clients send though no URI has it (RFC 3986 section 2) is escaped: Location is read by more than one parser. */
const asUri = (text: string): string => text.replace(/["<>\\^`{|}]/g, encodeURIComponent)

/** Says where requests of a route are to go instead. */
export class Redirect {
  readonly status: CompiledRedirect['status']
  readonly #settings: CompiledRedirect
  readonly #rewriter: PathRewriter | undefined

  constructor(settings: CompiledRedirect, route: CompiledRoute) {
    this.status = settings.status
    this.#settings = settings
    this.#rewriter = settings.path && new PathRewriter(settings.path, route)
  }

  /**
   * The Location of a request (RFC 9110 section 10.2.2): without a host where only the path changes. Undefined where
   * the path makes none.
   */
  location({ head, facts, matchedLength }: Exchange): string | undefined {
    if (head.path === '*') return undefined
    const { scheme = facts.scheme, host = head.host, port, keepQuery } = this.#settings
    const path = this.#rewriter ? this.#rewriter.rewrite(head.path, matchedLength) : head.path
    if (path === undefined) return undefined
    const rest = asUri(path + (keepQuery ? head.query : ''))
    if (!this.#isElsewhere) return rest
    return `${scheme}://${host}${port === undefined || port === usualPorts[scheme] ? '' : `:${port}`}${rest}`
  }

  get #isElsewhere(): boolean {
    const { scheme, host, port } = this.#settings
    return scheme !== undefined || host !== undefined || port !== undefined
  }
}
