/** A way to prove that a domain leads to this gateway (RFC 8555 section 8). */
export interface ChallengeSolver {
  /** What the authority calls it. */
  readonly type: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /**
   * Has the challenge answered; resolves when the authority may ask.
   * @returns undoes it; never rejected
   */
  present(domain: string, token: string, keyAuthorization: string): Promise<() => Promise<void>>
}
