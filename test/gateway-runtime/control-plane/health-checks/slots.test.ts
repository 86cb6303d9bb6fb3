import { expect, test } from '@jest/globals'
import { Slots } from '../../../../gateway-runtime/src/control-plane/health-checks/slots.ts'

test('runs no more tasks at once than it has slots, in their order, and goes on after one that fails', async () => {
  const slots = new Slots(2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const tasks = [0, 1, 2, 3, 4].map((index) =>
    slots.run(async () => {
      begun.push(index)
      await new Promise<void>((resolve) => ends.push(resolve))
      if (index === 0) throw new Error('failed')
      return index
    }),
  )
  const first = expect(tasks[0]).rejects.toThrow('failed')
  await Promise.resolve()
  expect(begun).toEqual([0, 1])
  ends[0]!()
  await first
  expect(begun).toEqual([0, 1, 2])
  slots.limit = 4
  await Promise.resolve()
  expect(begun).toEqual([0, 1, 2, 3, 4])
  for (const end of ends) end()
  expect(await Promise.all(tasks.slice(1))).toEqual([1, 2, 3, 4])
})
