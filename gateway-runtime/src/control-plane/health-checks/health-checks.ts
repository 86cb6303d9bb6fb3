import type { CompiledUpstream, Snapshot } from '../../config/snapshot.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { SharedMemoryAllocator } from '../shared-memory.ts'
import { ActiveChecks } from './active-checks.ts'
import { OutlierDetection } from './outlier-detection.ts'

/** Whether anything is done to find out how the targets of an upstream are. */
export const isWatched = ({ activeCheck, passiveCheck }: CompiledUpstream): boolean =>
  activeCheck !== undefined || passiveCheck !== undefined

/** Finds out how targets are, by asking them and by how they answer requests, and tells the workers. */
export class HealthChecks {
  readonly #active: ActiveChecks
  readonly #outliers: OutlierDetection

  constructor(memory: SharedMemoryAllocator, errorLog: ErrorLog) {
    this.#active = new ActiveChecks(memory, errorLog)
    this.#outliers = new OutlierDetection(memory, errorLog)
  }

  /** Goes by this snapshot from now on; the memory is prepared for it. What is known of targets that stay is kept. */
  apply(snapshot: Snapshot): void {
    this.#active.apply(snapshot)
    this.#outliers.apply(snapshot)
  }

  /** Resolves when nothing is left: no timer, no connection. */
  async stop(): Promise<void> {
    this.#outliers.stop()
    await this.#active.stop()
  }
}
