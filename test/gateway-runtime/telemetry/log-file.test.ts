import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { LogFile } from '../../../gateway-runtime/src/telemetry/log-file.ts'
import { eventually } from '../../support/eventually.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-file-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const path = () => join(folder, 'lines.log')
const written = () => readFileSync(path(), 'latin1')

test('lines of any length are written whole and in their order', async () => {
  const log = new LogFile(path())
  let expected = ''
  const lengths = fc.array(fc.oneof(fc.nat(500), fc.nat(200_000)), { minLength: 1, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(lengths, async (sizes) => {
      for (const [index, size] of sizes.entries()) {
        const line = `${'abcdefghij'[index % 10]!.repeat(size)}\n`
        expected += line
        log.append(line)
      }
      await eventually('the lines are written', () => written() === expected)
    }),
    { numRuns: 15 },
  )
  log.close()
  expect(log.dropped).toBe(0)
})

test('what waits too long is dropped, and counted', async () => {
  const log = new LogFile(path())
  const line = `${'x'.repeat(1_048_575)}\n`
  for (let count = 0; count < 20; count++) log.append(line)
  // One is being written, 8 MiB wait; the rest is lost, no line in part.
  expect(log.dropped).toBe(11)
  await eventually('what waited is written', () => written() === line.repeat(9))
  log.close()
})

test('a file that was moved away keeps what it had; the next lines go to a new one', () => {
  const log = new LogFile(path())
  log.append('before\n')
  log.flushSync()
  renameSync(path(), join(folder, 'old.log'))
  log.append('between\n')
  log.reopen()
  expect(written()).toBe('')
  log.append('after\n')
  log.close()
  expect(written()).toBe('after\n')
  expect(readFileSync(join(folder, 'old.log'), 'latin1')).toBe('before\nbetween\n')
})
