import { appendFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { LogTail } from '../../../gateway-runtime/src/telemetry/export/log-tail.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const newFolder = temporaryFolders()
let path: string
const tails: LogTail[] = []

beforeEach(async () => {
  path = join(await newFolder(), 'access.log')
})
afterEach(async () => {
  for (const tail of tails.splice(0)) await tail.close()
})

function open(cursor?: LogTail['cursor']): LogTail {
  const tail = new LogTail(path, cursor)
  tails.push(tail)
  return tail
}

/** All lines that there are, as if they were sent. */
async function drain(tail: LogTail, most = 2): Promise<string[]> {
  const lines: string[] = []
  for (let batch = await tail.read(most); batch; batch = await tail.read(most)) {
    lines.push(...batch.lines)
    await tail.moveTo(batch.end)
  }
  return lines
}

test('begins with what is new, and gives whole lines only', async () => {
  await writeFile(path, 'old\n')
  const tail = open()
  expect(await drain(tail)).toEqual([])
  await appendFile(path, 'one\ntwo\nthr')
  expect(await drain(tail)).toEqual(['one', 'two'])
  await appendFile(path, 'ee\n')
  expect(await drain(tail)).toEqual(['three'])
})

test('all of a log that did not exist yet is new', async () => {
  const tail = open()
  expect(await drain(tail)).toEqual([])
  await writeFile(path, 'first\n')
  expect(await drain(tail)).toEqual(['first'])
})

test('what was read and not taken is read again', async () => {
  await writeFile(path, '')
  const tail = open()
  await tail.read(1)
  await appendFile(path, 'one\n')
  expect((await tail.read(1))?.lines).toEqual(['one'])
  expect((await tail.read(1))?.lines).toEqual(['one'])
})

test('reads what was moved away to its end, over several files, also after a restart', async () => {
  await writeFile(path, '')
  const tail = open()
  await tail.read(1)
  await appendFile(path, 'one\ntwo\n')
  const { end } = (await tail.read(1))!
  await rename(path, `${path}.2`)
  await writeFile(`${path}.1`, 'three\n')
  await writeFile(path, 'four\n')
  expect(await open(end).backlog()).toBe('two\nthree\nfour\n'.length)
  expect(await drain(open(end))).toEqual(['two', 'three', 'four'])
  await tail.moveTo(end)
  expect(await drain(tail)).toEqual(['two', 'three', 'four'])
})

test('goes on where the file was deleted or emptied', async () => {
  await writeFile(path, '')
  const tail = open()
  await tail.read(1)
  await appendFile(path, 'one\n')
  expect(await drain(tail)).toEqual(['one'])
  await truncate(path)
  expect(await drain(tail)).toEqual([])
  await appendFile(path, 'two\n')
  expect(await drain(tail)).toEqual(['two'])
  await rm(path)
  await writeFile(path, 'three\n')
  expect(await drain(tail)).toEqual(['three'])
})
