import type { Sent } from '../lab/drills/steady-load.ts'
import { type Chaos, clients, type FaultKind } from './faults.ts'

/** A fault that was made; times are milliseconds of `performance.now()`. */
export interface MadeFault {
  readonly kind: FaultKind
  readonly host: string
  readonly from: number
  /** When it began to be taken back, and when it was. */
  readonly healing: number
  readonly undone: number
  /** When the cluster was whole again; undefined where it did not become so. */
  readonly settled: number | undefined
  /** Why it could not be made, or be taken back. */
  readonly error?: string
}

export interface Violation {
  readonly at: number
  readonly text: string
}

/** When a host took the virtual IP. */
export interface AddressMove {
  readonly at: number
  readonly host: string
}

export interface Verdict {
  readonly violations: readonly Violation[]
  /** Failures that each fault has to answer for, in the order of the faults; they are permitted up to its promise. */
  readonly failuresOf: readonly number[]
}

/** Requests that were under way while an address moved may fail: as many as there are clients, around that time. */
const aroundMove = 1_500
/** What moves the address away also moves it back. */
const afterHealing = 1_000

/**
 * Judges what became of all requests: each failure must be permitted by a fault that was made or by a move of the
 * virtual IP, no more of them than it permits; answers must be for who asked; the address moves no more than the
 * faults explain; the cluster becomes whole after each.
 */
export function judge(
  faults: readonly MadeFault[],
  requests: readonly Sent[],
  moves: readonly AddressMove[],
  kinds: Readonly<Record<FaultKind, Chaos>>,
): Verdict {
  const violations: Violation[] = []
  const failuresOf = faults.map((): string[] => [])
  const failuresOfMove = moves.map(() => 0)
  for (const { from, to, failure, id } of requests) {
    if (failure === undefined) continue
    const isUnderWay = (begin: number, end: number) => from <= end && to >= begin
    const fault = faults.findLastIndex(
      ({ kind, from: made, healing, undone }) =>
        kinds[kind].permits.requests > 0 &&
        (isUnderWay(made, made + kinds[kind].permits.within) ||
          (kinds[kind].moves > 0 && isUnderWay(healing, undone + afterHealing))),
    )
    const move = moves.findIndex(({ at }) => isUnderWay(at - aroundMove, at + aroundMove))
    if (fault >= 0) failuresOf[fault]!.push(failure)
    else if (move >= 0) failuresOfMove[move]!++
    if (/in the place of/.test(failure) || (fault < 0 && move < 0))
      violations.push({ at: from, text: `request ${id} failed: ${failure}` })
  }
  faults.forEach((fault, index) => {
    const { requests: most } = kinds[fault.kind].permits
    const failed = failuresOf[index]!
    if (failed.length > most)
      violations.push({
        at: fault.from,
        text: `${failed.length} requests failed by ${fault.kind} on ${fault.host}, which permits ${most}: ${counted(failed)}`,
      })
    if (fault.error !== undefined)
      violations.push({ at: fault.from, text: `${fault.kind} on ${fault.host}: ${fault.error}` })
    else if (fault.settled === undefined)
      violations.push({
        at: fault.undone,
        text: `the cluster was not whole again after ${fault.kind} on ${fault.host}`,
      })
  })
  moves.forEach(({ at, host }, index) => {
    if (failuresOfMove[index]! > clients)
      violations.push({
        at,
        text: `${failuresOfMove[index]} requests failed as the virtual IP moved to ${host}`,
      })
  })
  const explained = faults.reduce((sum, { kind }) => sum + kinds[kind].moves, 0)
  if (moves.length > explained)
    violations.push({
      at: moves[explained]!.at,
      text: `the virtual IP moved ${moves.length} times, and faults explain ${explained}`,
    })
  return {
    violations: violations.toSorted((one, other) => one.at - other.at),
    failuresOf: failuresOf.map(({ length }) => length),
  }
}

/** `12 × no answer within 15 s, 3 × status 503`. */
function counted(failures: readonly string[]): string {
  const kinds = Map.groupBy(failures, (failure) => failure)
  return [...kinds].map(([failure, { length }]) => `${length} × ${failure}`).join(', ')
}
