import { TransformedValue } from '../transformations/chain.ts'

/** One value of a collection: an argument, a header, a whole line. */
export interface Entry {
  /** In upper case: `ARGS`. */
  readonly collection: string
  /** Its name in the collection; '' where the collection is a single value. */
  readonly key: string
  readonly value: TransformedValue
}

export const entry = (collection: string, key: string, value: string): Entry => ({
  collection,
  key,
  value: new TransformedValue(value),
})

/** The same value in another collection; what was computed for it is shared. */
export const entryIn = (collection: string, { key, value }: Entry): Entry => ({ collection, key, value })

/** `ARGS:id`, as rules and logs call it. */
export const entryName = ({ collection, key }: Entry): string =>
  key === '' ? collection : `${collection}:${key}`
