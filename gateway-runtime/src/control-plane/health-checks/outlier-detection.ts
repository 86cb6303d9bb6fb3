import { monotonicNow } from '../../clock.ts'
import type { PassiveCheck, Snapshot, Target } from '../../config/snapshot.ts'
import { OutcomeWindow } from '../../data-plane/upstreams/outcome-window.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { SharedMemoryAllocator } from '../shared-memory.ts'
import { authorityOf } from './check.ts'

const sweepInterval = 500
const mostTimes = 10

interface Ejection {
  /** How many there were in a row, with this one. */
  readonly inRow: number
  readonly duration: number
  /** Monotonic milliseconds. */
  readonly until: number
}

interface Watched {
  readonly target: Target
  readonly state: SharedArrayBuffer
  readonly outcomes: OutcomeWindow
  isEjected: boolean
  /** The one that is, or else the last that was. */
  ejection: Ejection | undefined
}

interface WatchedUpstream {
  readonly name: string
  readonly settings: PassiveCheck
  readonly targets: readonly Watched[]
}

/**
 * Ejects targets that fail too many of their requests. The workers only count; twice a second the one thread of the
 * control plane looks at the counts, so that never more targets are ejected than may be, whoever fails when.
 */
export class OutlierDetection {
  readonly #memory: SharedMemoryAllocator
  readonly #errorLog: Pick<ErrorLog, 'write'>
  readonly #now: () => number
  #upstreams: readonly WatchedUpstream[] = []
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** `now` gives milliseconds of a clock that is one for all threads. */
  constructor(
    memory: SharedMemoryAllocator,
    errorLog: Pick<ErrorLog, 'write'>,
    now: () => number = monotonicNow,
  ) {
    this.#memory = memory
    this.#errorLog = errorLog
    this.#now = now
  }

  /**
   * Watches what this snapshot says from now on; the memory is prepared for it. Targets that stay, stay ejected until
   * their time is over; one that is watched no longer gets requests again.
   */
  apply({ upstreams }: Snapshot): void {
    if (this.#stopped) return
    const before = new Map(this.#all().map((watched) => [watched.target.id, watched]))
    this.#upstreams = upstreams.flatMap(({ name, targets, passiveCheck: settings }) => {
      if (!settings) return []
      const weighty = targets.filter(({ weight }) => weight > 0)
      return [
        {
          name,
          settings,
          targets: weighty.map((target) => this.#watch(target, settings, before.get(target.id))),
        },
      ]
    })
    for (const { target } of this.#all()) before.delete(target.id)
    for (const watched of before.values()) if (watched.isEjected) this.#setEjected(watched, false)
    if (this.#upstreams.length > 0) this.#timer ??= setInterval(() => this.sweep(), sweepInterval)
    else this.#stopTimer()
  }

  /** Takes back those whose time is over, and ejects those that fail. Called by itself twice a second. */
  sweep(): void {
    for (const upstream of this.#upstreams) {
      this.#readmit(upstream)
      this.#ejectWorst(upstream)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#stopTimer()
  }

  #all(): Watched[] {
    return this.#upstreams.flatMap(({ targets }) => targets)
  }

  #watch(target: Target, { window }: PassiveCheck, before: Watched | undefined): Watched {
    const state = this.#memory.targets.get(target.id)!
    const outcomes = new OutcomeWindow(state, window, this.#now)
    return { target, state, outcomes, isEjected: before?.isEjected ?? false, ejection: before?.ejection }
  }

  #readmit(upstream: WatchedUpstream): void {
    const ejected = upstream.targets
      .filter(({ isEjected }) => isEjected)
      .toSorted((a, b) => a.ejection!.until - b.ejection!.until)
    // After a reload there may be more than still may be.
    const surplus = Math.max(ejected.length - mostEjected(upstream), 0)
    for (const [index, watched] of ejected.entries()) {
      if (index >= surplus && this.#now() < watched.ejection!.until) continue
      watched.outcomes.clear()
      this.#setEjected(watched, false)
      this.#errorLog.write('info', 'target readmitted', {
        upstream: upstream.name,
        target: authorityOf(watched.target),
      })
    }
  }

  #ejectWorst(upstream: WatchedUpstream): void {
    const { failurePercent, minimumRequests } = upstream.settings
    const free = mostEjected(upstream) - upstream.targets.filter(({ isEjected }) => isEjected).length
    if (free === 0) return
    const worst = upstream.targets
      .filter(({ isEjected }) => !isEjected)
      .map((watched) => ({ watched, ...watched.outcomes.read() }))
      .filter(
        ({ requests, failures }) =>
          requests >= minimumRequests && 100 * failures >= failurePercent * requests,
      )
      .toSorted((a, b) => b.failures / b.requests - a.failures / a.requests)
    for (const { watched, requests, failures } of worst.slice(0, free)) {
      this.#eject(upstream, watched, `${failures} of ${requests} requests failed`)
    }
  }

  #eject({ name, settings }: WatchedUpstream, watched: Watched, reason: string): void {
    const now = this.#now()
    const { ejection: last, target } = watched
    // In a row: it has not been back for as long as it was away, and for a window at least.
    const isInRow = last !== undefined && now - last.until < Math.max(last.duration, settings.window)
    const inRow = isInRow ? Math.min(last.inRow + 1, mostTimes) : 1
    const duration = settings.ejectionTime * inRow
    watched.ejection = { inRow, duration, until: now + duration }
    this.#setEjected(watched, true)
    const fields = { upstream: name, target: authorityOf(target), reason, duration: `${duration} ms` }
    this.#errorLog.write('error', 'target ejected', fields)
  }

  #setEjected(watched: Watched, isEjected: boolean): void {
    watched.isEjected = isEjected
    this.#memory.changeHealth(watched.state, (health) => {
      health.isEjected = isEjected
    })
  }

  #stopTimer(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

const mostEjected = ({ targets, settings }: WatchedUpstream): number =>
  Math.floor((targets.length * settings.maxEjectedPercent) / 100)
