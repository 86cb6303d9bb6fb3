/**
 * A function that answers for an object what it answered for that object before, for as long as the object is there.
 * Entities that a change leaves as they are stay the same objects, so that little is done again for them.
 */
export function remembered<Input extends object, Output>(
  make: (input: Input) => Output,
): (input: Input) => Output {
  const known = new WeakMap<Input, { readonly output: Output }>()
  return (input) => {
    const found = known.get(input) ?? { output: make(input) }
    known.set(input, found)
    return found.output
  }
}
