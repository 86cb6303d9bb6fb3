import type { SharedChallenges } from '../store/records.ts'
import { challengeCertificate } from './challenge-certificate.ts'
import type { ChallengeSolver } from './challenge-solver.ts'

/** Has every node answer by these challenges; resolves when they do. Rejected where this node may not say so. */
export type PublishChallenges = (challenges: SharedChallenges) => Promise<void>

/**
 * The challenges of all orders that are under way, answered by any node that is asked. What changes while one
 * publication is under way goes out together with the next.
 */
export class ChallengeBoard {
  readonly #publish: PublishChallenges
  readonly #http = new Map<string, string>()
  readonly #tls = new Map<string, { readonly certificate: string; readonly key: string }>()
  #current: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(publish: PublishChallenges) {
    this.#publish = publish
  }

  /** RFC 8555 section 8.3: a token at a path of port 80. */
  readonly http: ChallengeSolver = {
    type: 'http-01',
    present: (_domain, token, keyAuthorization) => this.#keep(this.#http, token, keyAuthorization),
  }

  /** RFC 8737: a certificate for the protocol acme-tls/1 on port 443. */
  readonly tls: ChallengeSolver = {
    type: 'tls-alpn-01',
    present: async (domain, _token, keyAuthorization) =>
      this.#keep(this.#tls, domain, await challengeCertificate(domain, keyAuthorization)),
  }

  async #keep<Value>(all: Map<string, Value>, name: string, value: Value): Promise<() => Promise<void>> {
    all.set(name, value)
    const undo = () => {
      all.delete(name)
      return this.#change().catch(() => {}) // whoever holds the lease next begins with an empty board
    }
    await this.#change().catch((error) => {
      all.delete(name)
      throw error
    })
    return undo
  }

  #change(): Promise<void> {
    this.#next ??= this.#current
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.#publish({ http: Object.fromEntries(this.#http), tls: Object.fromEntries(this.#tls) })
      })
    this.#current = this.#next
    return this.#next
  }
}
