import { type Demand, leadOf } from './demand.ts'
import type { Slot } from './key-leases.ts'
import type { WindowClaim } from './lease-exchange.ts'

/** The longest time ahead that leases are taken for. */
export const longestHorizon = 5_000

/** Whether a lease for the next window is to be taken, or one for this window to be given back. */
export function isDue(
  [first, second]: readonly Slot[],
  period: number,
  demand: Demand,
  now: number,
): boolean {
  if (!first) return false
  const hasNext = second !== undefined && now < second.start
  const current = second && !hasNext ? second : first
  const toEnd = current.end - now
  if (toEnd <= 0) return false
  if (toEnd > leadOf(period)) return hasTooMuch(current, mostOf(demand, toEnd, period))
  if (hasNext && second.free === 0) return false
  return (hasNext ? second.left : 0) < Math.ceil(demand.expected(period / 4)) / 2
}

/** What is kept of a lease: more than will come in the time that it is for. */
export const mostOf = (demand: Demand, toEnd: number, period: number): number =>
  demand.most(Math.min(toEnd, period, longestHorizon * 2))

/** Puts what was granted into a slot. */
export function receive(
  slot: Slot,
  number: number,
  claim: WindowClaim,
  { total, granted, free }: { readonly total: number; readonly granted: number; readonly free: number },
): void {
  const held = claim.number === number ? claim.held : claim.number + 1 === number ? claim.heldNext : -1
  if (slot.number > number) return // too late: that window is over
  slot.begin(number)
  // What the node has allowed itself since it asked is a part of what was granted, not besides it.
  const kept = Math.max(granted - (slot.claim - Math.max(held, 0)), 0)
  slot.left += kept
  // Where the node did not say what it held, all that it was given before counts as used.
  slot.claim += kept + (held < 0 ? total - granted : 0)
  slot.free = free
}

/** Whether so much of a lease is too much that it is worth a message; of an idle key all is. */
export const hasTooMuch = ({ left, claim }: Slot, most: number): boolean =>
  most === 0 ? left > 0 : left - most > Math.max(1, claim / 8)

export function giveBack(slot: Slot, most: number): void {
  if (!hasTooMuch(slot, most)) return
  slot.claim -= slot.left - most
  slot.left = most
}
