/*
 * What the threads of a node know together of one target: memory of its own for each target, so that nothing moves
 * when targets come and go, and a request that is still under way writes to no other target's.
 *
 * Words: 0 to 7 are the circuit's (circuit-breaker.ts), 8 to 15 its health's (health.ts), and from 16 on there are ten
 * spans of three words each, for how requests ended (outcome-window.ts).
 */

export const circuitWords = 0
export const healthWords = 8
export const outcomeWords = 16
export const outcomeSpans = 10
export const outcomeSpanWords = 3

const words = outcomeWords + outcomeSpans * outcomeSpanWords

/** Memory for a target of which nothing is known yet. */
export const newTargetState = (): SharedArrayBuffer =>
  new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)
