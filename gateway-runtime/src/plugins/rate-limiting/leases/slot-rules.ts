import { type Demand, leadOf } from './demand.ts'
import type { Slot } from './key-leases.ts'
import type { LimitWindow, WindowClaim } from './lease-exchange.ts'

/** The longest time ahead that leases are taken for. */
export const longestHorizon = 5_000
const mostSpare = 8

/** How much of a limit a node takes ahead of use. */
export interface Appetite {
  /** Requests to have at hand for the rest of a window, which ends in so many milliseconds. */
  now(demand: Demand, toEnd: number): number
  /** The same for the window that follows. */
  next(demand: Demand, period: number): number
  /** What is kept of a lease; more is given back. */
  most(demand: Demand, toEnd: number): number
  /** The part of `next` below which it is worth a message. */
  readonly enough: number
  /** Milliseconds that the lease of a long window still lasts when it is renewed. */
  readonly reserve: number
}

/** Where the limit is nearly used: no more than comes, so that the last of it goes where it is used. */
const scarce: Appetite = {
  now: (demand, toEnd) => Math.ceil(demand.expected(Math.min(toEnd, longestHorizon))),
  next: (demand, period) => Math.ceil(demand.expected(period / 4)),
  most: (demand, toEnd) => demand.most(Math.min(toEnd, longestHorizon * 2)),
  enough: 0.5,
  reserve: 0,
}

/**
 * Where there is plenty: what comes until the end of the window, or in ten seconds, and some more. So a store that goes
 * away is not felt below the limit.
 */
const plenty = (spare: number): Appetite => {
  const withSpare = (count: number, spares: number) => (count === 0 ? 0 : count + spares * spare)
  const now = (demand: Demand, toEnd: number) =>
    withSpare(demand.most(Math.min(toEnd, longestHorizon * 2)), 1)
  return {
    now,
    next: now,
    most: (demand, toEnd) => withSpare(2 * demand.most(Math.min(toEnd, longestHorizon * 2)), 2),
    enough: 0.8,
    reserve: longestHorizon,
  }
}

/** By what nobody had claimed of a window when the store was last asked. */
export function appetiteFor(slot: Slot | undefined, limit: number, nodes: number): Appetite {
  if (!slot || slot.free < limit / 2) return scarce
  return plenty(Math.min(mostSpare, Math.floor(limit / (16 * nodes))))
}

/** Whether a lease for the next window is to be taken, or one for this window to be given back. */
export function isDue(
  [first, second]: readonly Slot[],
  { limit, period }: LimitWindow,
  nodes: number,
  demand: Demand,
  now: number,
): boolean {
  if (!first) return false
  const hasNext = second !== undefined && now < second.start
  const current = second && !hasNext ? second : first
  const toEnd = current.end - now
  if (toEnd <= 0) return false
  const appetite = appetiteFor(current, limit, nodes)
  if (toEnd > leadOf(period)) return hasTooMuch(current, appetite.most(demand, toEnd))
  if (hasNext && second.free === 0) return false
  return (hasNext ? second.left : 0) < appetite.enough * appetite.next(demand, period)
}

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
