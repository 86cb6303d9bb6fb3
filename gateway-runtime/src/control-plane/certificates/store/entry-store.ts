/** What has become of entries since a point in their history. */
export interface EntryChanges {
  /** Where the history stands with these; opaque. */
  readonly cursor: string
  /** Whether these are all entries that there are: what is not among them is there no more. */
  readonly isComplete: boolean
  /** Content by name; undefined where an entry was removed. */
  readonly entries: ReadonlyMap<string, string | undefined>
}

/** The right to write, for one node at a time. */
export interface Lease {
  /** Whether it is surely held at this moment. Once lost, it stays so. */
  readonly isHeld: boolean
  /** Lets others have it at once. Never rejected. */
  release(): Promise<void>
}

/** Somebody else may hold the lease by now; nothing was written. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
  constructor() {
    super('this node does not hold the lease of the certificate store any more')
  }
}

/**
 * Named texts that nodes share. Everybody reads; only who holds the lease writes, and the store itself sees to it: a
 * write with a lease that was lost is refused, however late it comes.
 */
export interface EntryStore {
  /** What has changed since a cursor; all there is where it is undefined. Rejected where the store is out of reach. */
  changes(since: string | undefined): Promise<EntryChanges>
  /** The lease, if nobody holds it. */
  acquire(): Promise<Lease | undefined>
  /**
   * Writes and removes (undefined) all of these, or none.
   * @returns the cursor behind it
   * @throws LeaseLost
   */
  write(entries: ReadonlyMap<string, string | undefined>, lease: Lease): Promise<string>
  /** Resolves when all nodes that live have taken up what came up to a cursor; after some seconds in any case. */
  takenUp(cursor: string): Promise<void>
  close(): Promise<void>
}
