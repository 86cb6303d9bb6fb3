/*
 * What a node and the store of leases tell each other. A node says what it holds, absolutely, and what it wishes;
 * the store never lets the claims of all nodes on a window exceed its limit. As claims are absolute and numbered, a
 * message that is lost, comes twice or comes late does no harm, and a store that has forgotten learns them again.
 */

/** So many requests in each window of so many milliseconds, which are counted from 1970 by the clock of Redis. */
export interface LimitWindow {
  readonly limit: number
  readonly period: number
}

/** What a node says of one window of a key. */
export interface WindowClaim {
  /** The window that `held` is of; 0: the node knows of none. */
  readonly number: number
  /** All that the node has had of that window, used and left; -1: it does not know, all that it was given counts. */
  readonly held: number
  /** The same for the window that follows. */
  readonly heldNext: number
  /** How many more requests it wishes for the current window, by the store's clock, and for the next. */
  readonly ask: number
  readonly askNext: number
}

export interface LeaseRequest {
  /** Goes up with each request of the node. */
  readonly sequence: number
  /** Which of the sixteen groups of keys all of them belong to. */
  readonly group: number
  readonly nodes: NodeCount
  readonly keys: readonly { readonly digest: string; readonly claims: readonly WindowClaim[] }[]
}

export interface NodeCount {
  /** This node. */
  readonly id: string
  readonly all: number
  /** Nodes whose share must be left free: they may use it without asking. */
  readonly reserved: readonly string[]
}

/** What the store says of one window of a key. */
export interface WindowGrant {
  /** The current window by the store's clock. */
  readonly number: number
  /** The node's claim, with what was granted now. */
  readonly claim: number
  readonly granted: number
  /** What nobody has claimed. */
  readonly free: number
  readonly claimNext: number
  readonly grantedNext: number
  readonly freeNext: number
}

export interface LeaseReply {
  /** Milliseconds since 1970 by the store's clock, with fractions. */
  readonly time: number
  /** For each key and window; undefined: a later request has come before this one. */
  readonly keys: readonly (readonly WindowGrant[] | undefined)[]
}

export const leaseGroups = 16

/** The group of a key: all keys of a group are on one server. */
export const groupOf = (digest: string): number =>
  Buffer.from(digest.slice(0, 2), 'base64url')[0]! % leaseGroups

/** Where leases come from. */
export interface LeaseStore {
  /** Calls back once, with undefined where there was no answer that can be relied on. */
  exchange(request: LeaseRequest, done: (reply: LeaseReply | undefined) => void): void
}
