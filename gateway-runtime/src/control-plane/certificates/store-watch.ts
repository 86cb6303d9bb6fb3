import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { Clock } from './clock.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'

export interface StoreWatchOptions {
  readonly repository: CertificateRepository
  readonly clock: Clock
  readonly log: Pick<ErrorLog, 'write'>
  /** Milliseconds between looks. */
  readonly lookEvery: number
}

/** Looks for what other nodes have written, again and again, and tells once where the store is of no use. */
export class StoreWatch {
  readonly #options: StoreWatchOptions
  readonly #onChanged: () => Promise<void>
  #cancel: (() => void) | undefined
  /** Why the store cannot be used at the moment. */
  #trouble: string | undefined
  #closed = false

  /** @param onChanged - called when this node has taken up something new */
  constructor(options: StoreWatchOptions, onChanged: () => Promise<void>) {
    this.#options = options
    this.#onChanged = onChanged
  }

  /** Looks now, and from then on. Resolves when what is there by now is taken up. */
  async look(): Promise<void> {
    const { clock, lookEvery } = this.#options
    this.#cancel?.()
    const changed = await this.#synchronize()
    if (changed) await this.#onChanged()
    if (!this.#closed) this.#cancel = clock.wakeAfter(changed ? 0 : lookEvery, () => void this.look())
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  /** @returns whether something is new; false where the store is out of reach */
  async #synchronize(): Promise<boolean> {
    const { repository } = this.#options
    const unlocked = await repository.retryLocked()
    try {
      const changed = await repository.synchronize()
      this.#tell(repository.lockedOut, 'certificate store has entries that this node cannot read')
      return changed.length + unlocked.length > 0
    } catch (error) {
      const reason = (error as Error).message
      this.#tell(reason, 'certificate store out of reach; what is known of it stays in use')
      return unlocked.length > 0
    }
  }

  /** A trouble when it begins, and its end. */
  #tell(trouble: string | undefined, event: string): void {
    const { log } = this.#options
    if (this.#closed) return
    if (trouble === undefined && this.#trouble !== undefined)
      log.write('info', 'certificate store answers again')
    if (trouble !== undefined && this.#trouble === undefined) log.write('error', event, { reason: trouble })
    this.#trouble = trouble
  }
}
