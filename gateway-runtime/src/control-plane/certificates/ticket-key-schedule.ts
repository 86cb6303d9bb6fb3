import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import type { Lease } from './store/entry-store.ts'
import { entryName, type StoredTicketKeys } from './store/records.ts'

/** Session ticket keys that all nodes have from the store: a session that one began, another resumes. */
export class TicketKeySchedule {
  readonly #clock: Clock
  readonly #interval: () => number
  readonly #use: (keys: Uint8Array) => void
  #shown: string | undefined

  /** @param interval - milliseconds that keys are used for, as set at the moment */
  constructor(clock: Clock, interval: () => number, use: (keys: Uint8Array) => void) {
    this.#clock = clock
    this.#interval = interval
    this.#use = use
  }

  /** When new ones are to be made, in milliseconds since 1970. */
  dueAt(stored: StoredTicketKeys | undefined): number {
    return stored ? stored.since + this.#interval() : 0
  }

  /** Takes these into use, unless they are. */
  show(stored: StoredTicketKeys | undefined): void {
    if (!stored || stored.keys === this.#shown) return
    this.#shown = stored.keys
    this.#use(Buffer.from(stored.keys, 'base64'))
  }

  /** Makes new ones where they are due. */
  async rotate(repository: CertificateRepository, lease: Lease): Promise<void> {
    const now = this.#clock.now()
    if (this.dueAt(repository.ticketKeys) > now) return
    const keys: StoredTicketKeys = { keys: randomBytes(48).toString('base64'), since: now }
    await repository.write(lease, [[entryName.ticketKeys, keys]])
  }
}
