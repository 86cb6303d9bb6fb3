/** A request as the firewall looks at it. Text is latin1: a character is a byte as it came. */
export interface RequestFacts {
  readonly method: string
  /** Path and query as they came, before anything is decoded. */
  readonly target: string
  /** `HTTP/1.1`. */
  readonly protocol: string
  /** In their order, names as they came; a name may come several times. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Name of the route that it takes, for exclusions. */
  readonly route?: string | undefined
  /** IP address of the client. */
  readonly clientAddress: string
  readonly body?: Uint8Array | undefined
  /** Whether the body is longer than what is given; then it cannot be told to be clean. */
  readonly bodyCut?: boolean | undefined
}

/** What a service answered; phases 3 and 4 look at it. */
export interface ResponseFacts {
  readonly status: number
  readonly protocol: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: Uint8Array | undefined
}
