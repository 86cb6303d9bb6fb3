import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

test('a log that is past its size is moved aside with all its lines, and every worker goes on in a new one', async () => {
  const gateway = await startGateway({
    config: { workers: 2, logs: { directory: '../logs', rotate_bytes: 65_536 } },
  })
  ended.push(() => gateway.stop())
  const { logs } = parse(await readFile(join(gateway.configDirectory, 'config.yaml'), 'utf8'))
  const path = join(gateway.configDirectory, logs.directory, 'access.log')
  const linesOf = async (file: string) =>
    (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  const ask = async (count: number, name: string) => {
    for (let number = 0; number < count; number++)
      await (await fetch(`${gateway.url}/${name}/${number}/${'x'.repeat(500)}`)).arrayBuffer()
  }
  await ask(200, 'first')
  await eventually('the log is moved', async () => (await linesOf(`${path}.1`)).length > 0)
  await ask(20, 'second')
  await eventually('new lines in the new file', async () => (await linesOf(path)).length >= 20)
  const all = [...(await linesOf(`${path}.1`)), ...(await linesOf(path))]
  const count = (name: string) => all.filter((line) => line.includes(`/${name}/`)).length
  await eventually('all lines are there', async () => count('first') === 200)
  expect(count('second')).toBe(20)
  expect((await linesOf(`${path}.1`)).some((line) => line.includes('/second/'))).toBe(false)
  expect((await stat(path)).mode & 0o777).toBe(0o640)
  expect((await stat(path)).size).toBeLessThan(65_536)
})
