import type { AccessLog } from '../telemetry/access-log.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import type { WorkerMetrics } from '../telemetry/metrics.ts'
import type { Challenges } from '../worker-messages.ts'
import type { AllowedTraces } from './allowed-traces.ts'
import type { LoopDelay } from './loop-delay.ts'
import type { MirrorSlots } from './mirror.ts'
import type { Runtime } from './runtime.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** How long, in milliseconds, what a client may have under way is waited for when its connection is drained. */
export const drainGrace = 1_000

/** What every connection of a worker shares. */
export interface WorkerContext {
  /** The snapshot for requests that begin now. */
  readonly runtime: Runtime
  readonly wheel: TimerWheel
  readonly accessLog: AccessLog
  readonly errorLog: ErrorLog
  readonly metrics: WorkerMetrics
  /** Set when the service stops: connections close after the answer they are giving. */
  readonly draining: boolean
  /** How late this worker is with what it has to do. */
  readonly loopDelay: LoopDelay
  readonly mirrorSlots: MirrorSlots
  /** Requests that somebody wants to know the way of. */
  readonly traces: AllowedTraces
  /** What an authority is answered that certifies a host of this gateway. */
  readonly challenges: Challenges
}
