declare module 'http-cache-semantics' {
  export interface Message {
    readonly url?: string
    readonly method?: string
    readonly status?: number
    readonly headers: Readonly<Record<string, string>>
  }

  export interface Options {
    readonly shared?: boolean
    readonly cacheHeuristic?: number
    readonly immutableMinTimeToLive?: number
    readonly ignoreCargoCult?: boolean
  }

  export default class CachePolicy {
    constructor(request: Message, response: Message, options?: Options)
    static fromObject(object: object): CachePolicy
    /** `reqh`: headers of the request, where the answer varies; `u`: its URL, '' for any. */
    toObject(): { readonly reqh: Readonly<Record<string, string>> | null; readonly u: string }
    storable(): boolean
    satisfiesWithoutRevalidation(request: Message): boolean
    responseHeaders(): Record<string, string>
    revalidationHeaders(request: Message): Record<string, string>
    revalidatedPolicy(request: Message, response: Message): { policy: CachePolicy; modified: boolean }
    evaluateRequest(request: Message): {
      response?: { headers: Record<string, string> }
      revalidation?: { headers: Record<string, string>; synchronous: boolean }
    }
    /** Milliseconds for which it is of any use, stale or not. */
    timeToLive(): number
    /** Seconds. */
    maxAge(): number
    age(): number
    stale(): boolean
    useStaleWhileRevalidate(): boolean
  }
}
