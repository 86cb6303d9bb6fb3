import type { ActiveCheck, Snapshot, Target } from '../../config/snapshot.ts'
import { TargetHealth } from '../../data-plane/upstreams/health.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { SharedMemoryAllocator } from '../shared-memory.ts'
import { authorityOf } from './check.ts'
import { Slots } from './slots.ts'
import { TargetChecks } from './target-checks.ts'

interface Wanted {
  readonly upstream: string
  readonly target: Target
  readonly check: ActiveCheck
}

interface Running {
  /** What is checked and how: equal where nothing changed. */
  readonly key: string
  readonly checks: TargetChecks
  readonly state: SharedArrayBuffer
}

/** Asks all targets that are to be checked how they are, and writes what comes of it where workers see it. */
export class ActiveChecks {
  readonly #memory: SharedMemoryAllocator
  readonly #errorLog: Pick<ErrorLog, 'write'>
  readonly #slots = new Slots(0)
  readonly #running = new Map<string, Running>()
  #stopped = false

  constructor(memory: SharedMemoryAllocator, errorLog: Pick<ErrorLog, 'write'>) {
    this.#memory = memory
    this.#errorLog = errorLog
  }

  /**
   * Checks what this snapshot says from now on; the memory is prepared for it. Checks that stay the same go on; where
   * they change, what is thought of the target stays. A target that is checked no longer counts as healthy.
   */
  apply({ upstreams, limits }: Snapshot): void {
    if (this.#stopped) return
    this.#slots.limit = limits.health_checks
    const wanted = new Map<string, Wanted>()
    for (const { name, targets, activeCheck } of upstreams) {
      if (!activeCheck) continue
      for (const target of targets) wanted.set(target.id, { upstream: name, target, check: activeCheck })
    }
    for (const [id, { checks, state }] of this.#running) {
      if (wanted.has(id)) continue
      void checks.stop()
      this.#running.delete(id)
      this.#memory.changeHealth(state, (health) => {
        health.passesChecks = true
      })
    }
    for (const [id, each] of wanted) this.#ensure(id, each)
  }

  /** Resolves when no check is left. */
  async stop(): Promise<void> {
    this.#stopped = true
    const running = [...this.#running.values()]
    this.#running.clear()
    await Promise.all(running.map(({ checks }) => checks.stop()))
  }

  #ensure(id: string, { upstream, target, check }: Wanted): void {
    const key = JSON.stringify([target.host, target.port, check])
    const running = this.#running.get(id)
    if (running?.key === key) return
    void running?.checks.stop()
    const state = this.#memory.targets.get(id)!
    const { passesChecks } = new TargetHealth(state)
    const checks = new TargetChecks(target, check, passesChecks, this.#slots, (passes, reason) => {
      this.#memory.changeHealth(state, (health) => {
        health.passesChecks = passes
      })
      const fields = { upstream, target: authorityOf(target), check: check.type, reason }
      if (passes) this.#errorLog.write('info', 'target healthy', fields)
      else this.#errorLog.write('error', 'target unhealthy', fields)
    })
    this.#running.set(id, { key, checks, state })
  }
}
