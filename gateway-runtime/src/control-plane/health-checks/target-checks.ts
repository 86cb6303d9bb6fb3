import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicNow } from '../../clock.ts'
import type { ActiveCheck, Target } from '../../config/snapshot.ts'
import { type Check, CheckFailure } from './check.ts'
import { grpcCheck } from './grpc-check.ts'
import { httpCheck } from './http-check.ts'
import type { Slots } from './slots.ts'
import { Streak } from './streak.ts'
import { tcpCheck } from './tcp-check.ts'

/** Told when checks have changed what is thought of a target; `reason`: what the last of them found. */
export type OnVerdict = (passes: boolean, reason: string) => void

function checkOf(target: Target, settings: ActiveCheck): Check {
  switch (settings.type) {
    case 'http':
      return httpCheck(target, settings)
    case 'grpc':
      return grpcCheck(target, settings)
    case 'tcp':
      return tcpCheck(target)
  }
}

/**
 * Checks one target again and again until it is stopped: the first time after a random part of the interval, so that
 * targets and nodes that start together do not ask together.
 */
export class TargetChecks {
  readonly #settings: ActiveCheck
  readonly #check: Check
  readonly #slots: Slots
  readonly #streak: Streak
  readonly #onVerdict: OnVerdict
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  /** `passes`: what was thought of the target so far. */
  constructor(target: Target, settings: ActiveCheck, passes: boolean, slots: Slots, onVerdict: OnVerdict) {
    this.#settings = settings
    this.#check = checkOf(target, settings)
    this.#slots = slots
    this.#streak = new Streak(settings, passes)
    this.#onVerdict = onVerdict
    this.#ended = this.#run()
  }

  /** Resolves when nothing of it is left: no timer, no connection. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let wait = Math.random() * this.#settings.interval
    while (await pause(wait, signal)) {
      wait = await this.#slots.run(async () => {
        if (signal.aborted) return 0
        const startedAt = monotonicNow()
        this.#learn(await this.#failure())
        return Math.max(startedAt + this.#settings.interval - monotonicNow(), 0)
      })
    }
  }

  #learn(failure: string | undefined): void {
    if (this.#stop.signal.aborted || !this.#streak.add(failure === undefined)) return
    this.#onVerdict(this.#streak.passes, failure ?? `passed ${this.#settings.healthyAfter} in a row`)
  }

  /** What one check finds wrong; undefined: nothing. */
  async #failure(): Promise<string | undefined> {
    const { timeout } = this.#settings
    const limit = new AbortController()
    const abort = () => limit.abort(new CheckFailure(`no answer within ${timeout} ms`))
    const timer = setTimeout(abort, timeout)
    this.#stop.signal.addEventListener('abort', abort, { once: true })
    try {
      await this.#check(limit.signal)
      return undefined
    } catch (error) {
      // A signal may come out of a socket as an error of another name.
      return describe(limit.signal.aborted ? limit.signal.reason : error)
    } finally {
      clearTimeout(timer)
      this.#stop.signal.removeEventListener('abort', abort)
    }
  }
}

/** Whether the time went by; false: it was stopped. */
const pause = (milliseconds: number, signal: AbortSignal): Promise<boolean> =>
  sleep(milliseconds, true, { signal }).catch(() => false)

/** Errors of a host with several addresses have no message of their own. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(describe).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.message || ((error as NodeJS.ErrnoException).code ?? error.name)
}
