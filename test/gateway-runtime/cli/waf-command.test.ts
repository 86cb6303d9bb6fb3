import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

const refuses = (word: string) => `SecComponentSignature "WORDS/${word}"
SecRule ARGS "@contains ${word}" "id:1,phase:2,deny,msg:'A word'"
SecRule ARGS "@geoLookup" "id:2,phase:2,deny"
`
let releases: string
let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  releases = await mkdtemp(join(tmpdir(), 'waf-releases-'))
  for (const word of ['first', 'second', 'third']) {
    await mkdir(join(releases, word, 'rules'), { recursive: true })
    await writeFile(join(releases, word, 'crs-setup.conf.example'), '')
    await writeFile(join(releases, word, 'rules', 'words.conf'), refuses(word))
  }
  execFileSync('tar', ['-czf', join(releases, 'third.tar.gz'), '-C', releases, 'third'])
  upstream = await startUpstream((_, response) => response.end('ok'))
  gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url }],
      routes: [{ name: 'route', service: 'service', paths: ['/'] }],
      plugins: [{ name: 'waf', config: { rules: join(releases, 'first'), time_budget: 10_000 } }],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
  await rm(releases, { recursive: true })
})

const statusOf = async (word: string) => (await fetch(`${gateway.url}/?a=${word}`)).status

test('a release from a folder or a tarball is put in force, and what it was made of may go', async () => {
  expect([await statusOf('first'), await statusOf('second')]).toEqual([403, 200])
  const { code, stdout } = await gateway.cli('waf', 'rules', join(releases, 'second'))
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /WORDS\/second: 1 rules? w[\s\S]*@geolookup is not supported[\s\S]*uses them now/,
    ),
  })
  await rm(join(releases, 'second'), { recursive: true })
  expect([await statusOf('first'), await statusOf('second')]).toEqual([200, 403])
  const json = await gateway.cli('waf', 'rules', join(releases, 'third.tar.gz'), '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({
    rule_set: ['WORDS/third'],
    rules: 1,
    refused: [{ id: 2, why: 'the operator @geolookup is not supported' }],
    plugins: 1,
  })
  expect([await statusOf('second'), await statusOf('third')]).toEqual([200, 403])
})

test('--check changes nothing; what holds no rules is refused', async () => {
  const before = (await gateway.cli('config', 'export')).stdout
  expect(await gateway.cli('waf', 'rules', join(releases, 'first'), '--check')).toMatchObject({
    code: 0,
    stderr: '',
  })
  await mkdir(join(releases, 'empty'))
  const empty = await gateway.cli('waf', 'rules', join(releases, 'empty'))
  expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('no rules here') })
  expect((await gateway.cli('waf', 'rules', join(releases, 'none.tar.gz'))).code).toBe(1)
  expect((await gateway.cli('config', 'export')).stdout).toBe(before)
})
