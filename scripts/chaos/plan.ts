import { Random } from '../soak/random.ts'
import { type FaultKind, faultKinds } from './faults.ts'

/** A fault that a run will make: when those before it are over and the cluster has settled. */
export interface PlannedFault {
  readonly kind: FaultKind
  /** Index of the host. */
  readonly host: number
  /** Milliseconds of quiet before it. */
  readonly quiet: number
  /** Milliseconds that it lasts. */
  readonly lasting: number
  /** For what is random in the fault itself. */
  readonly seed: number
}

/** What a fault takes beside its own time: to be made, to be taken back, and for the cluster to settle; milliseconds. */
const overhead = 5_000

/**
 * Faults for about so many minutes, one after the other: the cluster promises to survive each, not several at once. The
 * same seed, time and number of hosts give the same plan; a longer one begins like a shorter one.
 */
export function planOf(seed: number, minutes: number, hosts: number): readonly PlannedFault[] {
  const random = new Random(seed)
  const names = Object.keys(faultKinds) as FaultKind[]
  const plan: PlannedFault[] = []
  let time = 0
  while (time < minutes * 60_000) {
    const kind = random.pick(names)
    const [shortest, longest] = faultKinds[kind].lasting
    const fault = {
      kind,
      host: random.between(0, hosts - 1),
      quiet: random.between(500, 3_000),
      lasting: random.between(shortest, longest),
      seed: random.between(0, 2 ** 31 - 1),
    }
    plan.push(fault)
    time += fault.quiet + fault.lasting + overhead
  }
  return plan
}
