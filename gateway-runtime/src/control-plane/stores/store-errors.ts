/** The store cannot be reached: what is in force stays, and nothing can be changed until it is back. */
export class StoreUnreachable extends Error {
  override readonly name = 'StoreUnreachable'
  readonly code = 'store-unreachable'
}

/** Another node has changed the configuration in between; nothing was written. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict'
  readonly code = 'store-conflict'

  constructor() {
    super('another node has changed the configuration at the same time; try again')
  }
}
