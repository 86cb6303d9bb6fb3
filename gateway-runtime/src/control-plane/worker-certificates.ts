import { isDeepStrictEqual } from 'node:util'
import type { Challenges, MessageFromWorker, MessageToWorker, ServerCertificate } from '../worker-messages.ts'

/** A worker and what it is sent; the one that replaces it has its index. */
interface Recipient {
  readonly index: number
  post(message: MessageToWorker): void
}

const takeTimeout = 15_000 // of challenges: the authority asks soon

/**
 * What the workers are told about certificates while they serve: which they show, and how they answer challenges; and
 * what they have taken up of it, which can be long after on a machine that is busy.
 */
export class WorkerCertificates {
  readonly #recipients: () => readonly Recipient[]
  #certificates: { readonly version: number; readonly ordered: readonly ServerCertificate[] } = {
    version: 0,
    ordered: [],
  }
  #challenges: { readonly version: number; readonly challenges: Challenges } = {
    version: 0,
    challenges: { http: new Map(), tls: new Map() },
  }
  /** Index of a worker → version of the certificates that it shows, and of the challenges that it answers. */
  readonly #shown = new Map<number, number>()
  readonly #answered = new Map<number, number>()
  #shownHosts: ReadonlySet<string> = new Set()
  #answering: Promise<void> = Promise.resolve()
  readonly #waiting = new Set<() => void>()

  constructor(recipients: () => readonly Recipient[]) {
    this.#recipients = recipients
  }

  /** Ordered and imported certificates, as of now. */
  get ordered(): readonly ServerCertificate[] {
    return this.#certificates.ordered
  }

  /** Number of `ordered`, for `onTaken`. */
  get version(): number {
    return this.#certificates.version
  }

  /** Hosts for which every worker shows an ordered certificate: a handshake succeeds, whoever gets it. */
  get shownHosts(): ReadonlySet<string> {
    return this.#shownHosts
  }

  /**
   * Has these shown from now on.
   * @param configured - certificates that come first
   */
  show(ordered: readonly ServerCertificate[], configured: readonly ServerCertificate[] | undefined): void {
    if (isDeepStrictEqual(ordered, this.#certificates.ordered)) return
    const version = this.#certificates.version + 1
    this.#certificates = { version, ordered }
    if (!configured) return // the first snapshot brings them
    const certificates = [...configured, ...ordered]
    for (const recipient of this.#recipients())
      recipient.post({ type: 'certificates', version, certificates })
  }

  /** Has challenges answered so; resolves when every worker does. Rejected where one does not in time. */
  answer(challenges: Challenges): Promise<void> {
    if (!isDeepStrictEqual(challenges, this.#challenges.challenges)) {
      this.#challenges = { version: this.#challenges.version + 1, challenges }
      for (const recipient of this.#recipients()) this.greet(recipient)
      this.#answering = this.#untilAnswered(this.#challenges.version)
    }
    return this.#answering // those of before may still be on their way
  }

  /** What a worker is told before it listens. */
  greet(recipient: Recipient): void {
    recipient.post({ type: 'challenges', ...this.#challenges })
  }

  /** A worker has taken up what it was sent. */
  onTaken(index: number, message: Extract<MessageFromWorker, { type: 'taken' }>): void {
    const taken = message.what === 'certificates' ? this.#shown : this.#answered
    taken.set(index, message.version)
    const { version, ordered } = this.#certificates
    if (this.#haveAll(this.#shown, version)) this.#shownHosts = new Set(ordered.flatMap(({ hosts }) => hosts))
    for (const look of [...this.#waiting]) look()
  }

  /** A worker has died; its successor knows nothing. */
  onDeath(index: number): void {
    this.#shown.delete(index)
    this.#answered.delete(index)
  }

  #haveAll(taken: ReadonlyMap<number, number>, version: number): boolean {
    return this.#recipients().every(({ index }) => (taken.get(index) ?? -1) >= version)
  }

  #untilAnswered(version: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        act()
      }
      const look = () => {
        if (this.#haveAll(this.#answered, version)) end(resolve)
      }
      const timer = setTimeout(
        () => end(() => reject(new Error(`a worker did not take the answers within ${takeTimeout} ms`))),
        takeTimeout,
      )
      this.#waiting.add(look)
      look()
    })
  }
}
