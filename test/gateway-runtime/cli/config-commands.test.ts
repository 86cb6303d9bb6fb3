import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway({
    config: {
      services: [
        { name: 'a', url: 'http://127.0.0.1:9' },
        { name: 'ours', url: 'http://127.0.0.1:9', tags: ['ours'] },
      ],
      consumers: [{ name: 'alice', credentials: { 'key-auth': [{ key: 'alice-key-1' }] } }],
    },
  })
})

afterAll(() => gateway?.stop())

const write = async (name: string, text: string) => {
  const path = join(gateway.logDirectory, name)
  await writeFile(path, text)
  return path
}

test('export, diff and apply: 0 where nothing is other, 2 where something is', async () => {
  const masked = await gateway.cli('config', 'export')
  expect(masked.stdout).not.toContain('alice-key-1')
  const refused = await gateway.cli('config', 'apply', await write('masked.yaml', masked.stdout))
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--show-secrets')])

  const { stdout } = await gateway.cli('config', 'export', '--show-secrets')
  const path = await write('all.yaml', stdout)
  expect(await gateway.cli('config', 'diff', path)).toMatchObject({ code: 0, stdout: 'Nothing is other.\n' })

  await write('all.yaml', stdout.replace('name: a\n', 'name: a\n    retries: 7\n'))
  const diff = await gateway.cli('config', 'diff', path)
  expect(diff.code).toBe(2)
  expect(diff.stdout).toBe('~ services/a\n    retries: default → 7\n1 to update.\n')
  const json = JSON.parse((await gateway.cli('config', 'diff', path, '--json')).stdout)
  expect(json.changes).toMatchObject([{ entity: 'services/a', change: 'update' }])
  expect((await gateway.cli('config', 'diff', '/nowhere')).code).toBe(1)

  expect((await gateway.cli('config', 'apply', path, '--dry-run')).stdout).toContain('dry run')
  expect((await gateway.cli('config', 'diff', path)).code).toBe(2)
  expect((await gateway.cli('config', 'apply', path)).code).toBe(0)
  expect((await gateway.cli('config', 'diff', path)).code).toBe(0)
}, 120_000)

test('apply with a tag leaves what has it not', async () => {
  const path = await write('tagged.yaml', 'services: [{ name: new, url: "http://127.0.0.1:9" }]')
  const { stdout } = await gateway.cli('config', 'apply', path, '--tag', 'ours')
  expect(stdout).toContain('+ services/new')
  expect(stdout).toContain('- services/ours')
  const list = JSON.parse((await gateway.cli('services', 'list', '--json')).stdout)
  expect(list).toMatchObject([{ name: 'a' }, { name: 'new', tags: ['ours'] }])
}, 120_000)

test('import takes an OpenAPI document and the format of Kong; history and rollback undo it', async () => {
  const openapi = `openapi: 3.1.0
info: { title: Pet Shop, version: '1' }
servers: [{ url: 'http://127.0.0.1:9/v1' }]
paths:
  /pets: { get: {}, post: {} }
  /pets/{petId}: { get: {} }
`
  const imported = await gateway.cli('config', 'import', await write('openapi.yaml', openapi))
  expect(imported.stdout).toContain('+ services/pet-shop')
  const explained = await gateway.cli('routes', 'explain', 'GET', '/pets/17', '--json')
  expect(JSON.parse(explained.stdout).winner).toMatchObject({
    route: 'pet-shop-pets-petid',
    upstream_path: '/v1/pets/17',
  })
  expect((await gateway.cli('routes', 'explain', 'GET', '/pets/17/toys')).code).toBe(1)

  const kong =
    '_format_version: "3.0"\nservices: [{ name: k, url: "http://127.0.0.1:9", routes: [{ name: kr, paths: [/k] }] }]\n'
  expect((await gateway.cli('config', 'import', await write('kong.yaml', kong))).stdout).toContain(
    '+ routes/kr',
  )

  const history = JSON.parse((await gateway.cli('config', 'history', '--json')).stdout)
  expect(history[0].changes.map(({ entity }: { entity: string }) => entity)).toEqual([
    'services/k',
    'routes/kr',
  ])
  const rolled = await gateway.cli('config', 'rollback', String(history[1].id))
  expect(rolled.stdout).toContain('- routes/kr')
  expect((await gateway.cli('config', 'history')).stdout).toMatch(/^ID +TIME +BY +CHANGES\n/)
}, 120_000)

test('logs shows requests that match', async () => {
  await fetch(`${gateway.url}/not-there?x=1`)
  await fetch(`${gateway.url}/pets`)
  const log = join(gateway.logDirectory, 'access.log')
  while (!(await readFile(log, 'utf8').catch(() => '')).includes('pet-shop'))
    await fetch(`${gateway.url}/pets`)
  const missing = await gateway.cli('logs', '--status', '404')
  expect(missing.stdout).toMatch(/ 404 GET \/not-there/)
  expect(missing.stdout).not.toMatch(/pets/)
  const routed = await gateway.cli('logs', '--route', 'pet-shop-pets', '-n', '1', '--json')
  expect(JSON.parse(routed.stdout)).toMatchObject({ route: 'pet-shop-pets', path: '/pets' })
}, 120_000)

test.each(['bash', 'zsh', 'fish'])('completion prints a script for %s', async (shell) => {
  const { stdout, code } = await gateway.cli('completion', shell)
  expect(code).toBe(0)
  expect(stdout).toMatch(/gateway-cli/)
  expect(stdout).toMatch(/rollback/)
})
