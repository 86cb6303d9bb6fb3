import { queryParameter, withoutParameter } from '../../../data-plane/query-parameter.ts'
import type { PluginRequest } from '../../contract.ts'
import { cookiesOf, hideCookies } from '../request-cookies.ts'

interface Place {
  /** The token that stands there; undefined where there is none. */
  find(request: PluginRequest): string | undefined
  /** Keeps it from the service. */
  hide(request: PluginRequest): void
}

export interface FoundToken {
  readonly token: string
  hide(request: PluginRequest): void
}

export interface PlaceSettings {
  readonly header_names: readonly string[]
  readonly cookie_names: readonly string[]
  readonly query_names: readonly string[]
}

/** Where requests may hold a token: headers, cookies, query, in this order. */
export class TokenPlaces {
  readonly #places: readonly Place[]

  constructor({ header_names, cookie_names, query_names }: PlaceSettings) {
    this.#places = [...header_names.map(inHeader), ...cookie_names.map(inCookie), ...query_names.map(inQuery)]
  }

  /** The first token of a request. */
  find(request: PluginRequest): FoundToken | undefined {
    for (const place of this.#places) {
      const token = place.find(request)
      if (token !== undefined) return { token, hide: place.hide }
    }
    return undefined
  }
}

function inHeader(name: string): Place {
  // Authorization is for other schemes too (RFC 6750 section 2.1); what else is named here is for tokens alone.
  const pattern = name === 'authorization' ? /^bearer +(.*)$/is : /^(?:bearer +)?(.*)$/is
  return {
    find: (request) => pattern.exec(request.header(name) ?? '')?.[1]?.trimEnd() || undefined,
    hide: (request) => request.removeHeader(name),
  }
}

const inQuery = (name: string): Place => ({
  find: (request) => queryParameter(request.query, name) || undefined,
  hide: (request) => request.setQuery(withoutParameter(request.query, name)),
})

const inCookie = (name: string): Place => ({
  find: (request) => {
    for (const [cookie, value] of cookiesOf(request))
      if (cookie === name && value !== '') return value.replace(/^"(.*)"$/, '$1')
    return undefined
  },
  hide: (request) => hideCookies(request, (cookie) => cookie === name),
})
