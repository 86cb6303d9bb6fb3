/** Something that was done to a lab. */
export interface Fault {
  /** Takes it back; resolves once it is. */
  undo(): Promise<void>
}

/** Does things to several, one after the other; what was done is taken back when one fails. */
export async function onEach<T>(items: readonly T[], fault: (item: T) => Promise<Fault>): Promise<Fault> {
  const done: Fault[] = []
  const undo = async () => {
    for (const each of done.splice(0).reverse()) await each.undo()
  }
  try {
    for (const item of items) done.push(await fault(item))
  } catch (error) {
    await undo()
    throw error
  }
  return { undo }
}
