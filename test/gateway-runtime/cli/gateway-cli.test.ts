import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { startProgram } from '../../../scripts/process/program.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

const newFolder = temporaryFolders()
const program = join(import.meta.dirname, '../../../gateway-runtime/src/gateway-cli.ts')
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** Runs gateway-cli; `output` is stdout and stderr together. */
async function cli(...args: string[]): Promise<{ code: number | null; output: string }> {
  const command = [process.execPath, program, ...args] as const
  const run = await startProgram({
    name: 'gateway-cli',
    command,
    env: { NO_COLOR: '1', GATEWAY_CONFIG: undefined },
  })
  const { code } = await run.exited
  return { code, output: run.output() }
}

const services = `# where requests go
services:
  - name: orders # the only one
    url: http://127.0.0.1:9
    retries: 3
    connect_timeout: 5000ms
`

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await newFolder()
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

describe('config validate', () => {
  test('says that a right configuration is right', async () => {
    const folder = await folderWith({ 'services.yaml': services })
    const { code, output } = await cli('config', 'validate', '--config', folder)
    expect(output).toMatch(/is right: 1 service, 0 routes/)
    expect(code).toBe(0)
  })

  test('warns of a route that is never reached', async () => {
    const routes = `routes:
  - { name: a, service: orders, paths: [/v1], priority: 1 }
  - { name: b, service: orders, paths: [/v1/b], methods: [PUT] }
`
    const folder = await folderWith({
      'services.yaml': services,
      'config.yaml': `admin: { port: ${await freePort()} }\n${routes}`,
    })
    const warning =
      'config.yaml:4:13: route "b" is never reached: PUT http://example.com/v1/b goes to "a", never to "b"'
    const { code, output } = await cli('config', 'validate', '-c', folder)
    expect(output).toMatch(/is right: 1 service, 2 routes/)
    expect(output).toContain(`\nwarning: ${warning}\n`)
    expect(code).toBe(0)
    const json = await cli('config', 'validate', '--json', '-c', folder)
    expect(JSON.parse(json.output)).toMatchObject({
      valid: true,
      warnings: [{ line: 4, entity: { name: 'b' } }],
    })
    const added = await cli('-c', folder, 'routes', 'add', '--name', 'c', '--paths', '/v1/c')
    expect(added.output).toMatch(/warning: .*route "c" is never reached/)
    expect(added.output).not.toContain('"b"')
    expect(added.code).toBe(0)
  })

  test.each([
    [
      'an unknown key',
      'services: [{ name: a, url: "http://a", conect_timeout: 1 }]',
      /config\.yaml:1:\d+: unknown key "conect_timeout"; did you mean "connect_timeout"\?/,
    ],
    [
      'a duplicate route',
      'services: [{ name: a, url: "http://a" }]\nroutes:\n  - { name: r, service: a, paths: [/a] }\n  - { name: r, service: a, paths: [/b] }',
      /config\.yaml:4:\d+: .*"r"/,
    ],
    [
      'a route to no service',
      'routes:\n  - { name: r, service: nowhere, paths: [/a] }',
      /config\.yaml:2:\d+: .*nowhere/,
    ],
    ['a port out of range', 'listeners: [{ port: 70000 }]', /config\.yaml:1:\d+: .*65535.*found 70000/],
    ['a YAML syntax error', 'routes: [', /config\.yaml:\d+:\d+: invalid YAML/],
    [
      'an invalid regular expression',
      'services: [{ name: a, url: "http://a" }]\nroutes: [{ name: r, service: a, paths: ["~/(a"] }]',
      /config\.yaml:2:\d+: .*regular expression/,
    ],
    [
      'a plugin that there is not',
      'plugins: [{ name: rate-limit }]',
      /config\.yaml:1:\d+: .*did you mean "rate-limiting"/,
    ],
    [
      'wrong settings of a plugin',
      'plugins: [{ name: rate-limiting, config: { limit: 0, period: second } }]',
      /config\.yaml:1:\d+: .*found 0/,
    ],
  ])('%s is a clear error', async (_, text, message) => {
    const { code, output } = await cli('config', 'validate', '-c', await folderWith({ 'config.yaml': text }))
    expect(output).toMatch(message)
    expect(output).not.toMatch(/\n\s+at /)
    expect(code).toBe(1)
  })

  test.each(['a folder', 'a link to nothing'])(
    'a file that cannot be read, %s, is a clear error',
    async (what) => {
      const folder = await folderWith({ 'config.yaml': '' })
      if (what === 'a folder') await mkdir(join(folder, 'services.yaml'))
      else await symlink('/nowhere', join(folder, 'services.yaml'))
      const { code, output } = await cli('config', 'validate', '-c', folder)
      expect(output).toMatch(/services\.yaml/)
      expect(output).not.toMatch(/\n\s+at /)
      expect(code).toBe(1)
    },
  )

  test('tells programs in JSON', async () => {
    const folder = await folderWith({ 'config.yaml': 'routes: [{ name: r, service: s, paths: [/] }]' })
    const { code, output } = await cli('config', 'validate', '--json', '-c', folder)
    expect(JSON.parse(output)).toMatchObject({ valid: false, problems: [{ file: 'config.yaml', line: 1 }] })
    expect(code).toBe(1)
  })
})

describe('a command that is not understood ends with 2', () => {
  test.each([
    [['frobnicate']],
    [['routes', 'add']],
    [['services', 'add', '--name', 'a', '--retries', 'many']],
    [['plugins', 'add', 'rate-limiting', '--config', 'limit']],
  ])('%j', async (args) => {
    const { code } = await cli('-c', await folderWith({ 'services.yaml': services }), ...args)
    expect(code).toBe(2)
  })
})

test('without a configuration folder it says where it looked', async () => {
  const { code, output } = await cli('routes', 'list', '-c', '/nowhere/at/all')
  expect(output).toContain('/nowhere/at/all')
  expect(code).toBe(1)
})

describe('while the gateway does not run', () => {
  test('changes go to the files, checked, with comments and order kept', async () => {
    const folder = await folderWith({
      'services.yaml': services,
      'config.yaml': `admin: { port: ${await freePort()} } # not used\n`,
    })
    const added = await cli('-c', folder, 'routes', 'add', '--name', 'one', '--paths', '/a,/b')
    expect(added.output).toMatch(/route one added: \/a,\/b → orders\n.*takes effect when it starts/)
    expect(added.code).toBe(0)
    const listed = await cli('routes', 'list', '--json', '-c', folder)
    expect(JSON.parse(listed.output)).toEqual([{ name: 'one', service: 'orders', paths: ['/a', '/b'] }])
    const refused = await cli(
      '-c',
      folder,
      'routes',
      'add',
      '--name',
      'two',
      '--paths',
      'a',
      '--service',
      'orders',
    )
    expect(refused.output).toMatch(/expected "\/".*found "a"/)
    expect(refused.code).toBe(1)
    expect((await cli('-c', folder, 'routes', 'delete', 'one')).code).toBe(0)
    expect(await readFile(join(folder, 'services.yaml'), 'utf8')).toBe(services)
    expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toContain('# not used')
  })

  test('the service must be named where there are two', async () => {
    const folder = await folderWith({ 'services.yaml': `${services}  - { name: users, url: "http://u" }\n` })
    const { code, output } = await cli('-c', folder, 'routes', 'add', '--name', 'one', '--paths', '/a')
    expect(output).toMatch(/--service NAME; there are orders, users/)
    expect(code).toBe(2)
  })

  test('status and reload say that it does not run', async () => {
    const folder = await folderWith({
      'services.yaml': services,
      'config.yaml': `admin: { port: ${await freePort()} }`,
    })
    for (const command of ['status', 'reload']) {
      const { code, output } = await cli(command, '-c', folder)
      expect(output).toMatch(/not running/)
      expect(code).toBe(1)
    }
  })
})

const explained = `routes:
  - { name: all, service: orders, paths: [/] }
  - { name: beta, service: orders, paths: [/v1], headers: { X-Beta: ['~.*'] }, query: { page: ['2'] } }
  - { name: one, service: orders, paths: ['=/v1/orders'], hosts: ['*.example.com'], methods: [POST] }
`

describe('routes explain', () => {
  test('of a stopped gateway prints the candidates, the winner and the rules', async () => {
    const folder = await folderWith({
      'services.yaml': services,
      'config.yaml': `admin: { port: ${await freePort()} }\n${explained}`,
    })
    const url = 'http://api.example.com/v1/orders?page=2'
    const { code, output } = await cli('routes', 'explain', 'get', url, '--header', 'x-beta: 1', '-c', folder)
    expect(
      output
        .split('\n')
        .slice(0, 9)
        .map((line) => line.trimEnd()),
    ).toEqual([
      'GET http://api.example.com/v1/orders?page=2',
      '',
      'ROUTE  SERVICE  PRIORITY  HOST           PATH         MATCHES',
      'one    orders   0         *.example.com  =/v1/orders  no: method',
      'beta   orders   0         -              /v1          yes, and gets it',
      'all    orders   0         -              /            yes, but comes later',
      '',
      'Route beta gets it: service orders is asked for /orders?page=2',
      '',
    ])
    expect(output).toMatch(/1\. the higher priority/)
    expect(code).toBe(0)
  })

  test('ends with 1 where no route gets the request, and with 2 for a header that is none', async () => {
    const folder = await folderWith({
      'services.yaml': services,
      'config.yaml': `admin: { port: ${await freePort()} }\nroutes: [{ name: r, service: orders, paths: [/a] }]`,
    })
    const none = await cli('-c', folder, 'routes', 'explain', 'GET', '/b')
    expect(none.output).toMatch(/no: path\n\nNo route gets it/)
    expect(none.code).toBe(1)
    const json = await cli('-c', folder, 'routes', 'explain', 'GET', '/b', '--json')
    expect(JSON.parse(json.output)).toMatchObject({
      winner: null,
      candidates: [{ route: 'r', unmet: 'path' }],
    })
    expect(json.code).toBe(1)
    const refused = await cli('-c', folder, 'routes', 'explain', 'GET', '/../b')
    expect(refused.output).toMatch(/steps above the root/)
    expect(refused.code).toBe(1)
    expect((await cli('-c', folder, 'routes', 'explain', 'GET', '/a', '--header', 'x')).code).toBe(2)
  })
})

describe('at a running gateway', () => {
  async function start(): Promise<[TestGateway, Upstream]> {
    const upstream = await startUpstream()
    ended.push(() => upstream.stop())
    const gateway = await startGateway({ services: services.replace('http://127.0.0.1:9', upstream.url) })
    ended.push(() => gateway.stop())
    return [gateway, upstream]
  }
  const textOf = (gateway: TestGateway, file: string) => readFile(join(gateway.configDirectory, file), 'utf8')

  test('the walkthrough works as it stands on a page: a route, then a limit, both in force at once', async () => {
    const [gateway] = await start()
    expect((await fetch(`${gateway.url}/v1/api/x`)).status).toBe(404)
    const route = await gateway.cli('routes', 'add', '–name', 'service-alpha', '–paths', '/v1/api')
    expect(route.stdout).toMatch(/route service-alpha added: \/v1\/api → orders/)
    expect((await fetch(`${gateway.url}/v1/api/x`)).status).toBe(200)

    const limit = await gateway.cli(
      'plugins',
      'add',
      'rate-limiting',
      '–config',
      '“limit=1000,',
      'period=second”',
    )
    expect(limit.code).toBe(0)
    const answer = await fetch(`${gateway.url}/v1/api/x`)
    expect(answer.headers.get('ratelimit-policy')).toBe('"default";q=1000;w=1')

    expect(await textOf(gateway, 'config.yaml')).toMatch(/service-alpha/)
    expect(await textOf(gateway, 'config.yaml')).toMatch(/rate-limiting/)
    expect(await textOf(gateway, 'services.yaml')).toContain('- name: orders # the only one')
  })

  test('what it refuses changes nothing', async () => {
    const [gateway] = await start()
    await gateway.cli('routes', 'add', '--name', 'one', '--paths', '/one')
    const before = await textOf(gateway, 'config.yaml')
    for (const [args, reason] of [
      [['routes', 'add', '--name', 'one', '--paths', '/two'], /there already/],
      [['routes', 'add', '--name', 'two', '--paths', '/two', '--service', 'nowhere'], /nowhere/],
      [['services', 'delete', 'orders'], /used by route one/],
      [['routes', 'delete', 'nothing'], /nothing/],
    ] as const) {
      const { code, stderr } = await gateway.cli(...args)
      expect(stderr).toMatch(reason)
      expect(code).toBe(1)
    }
    expect(await textOf(gateway, 'config.yaml')).toBe(before)
    expect((await fetch(`${gateway.url}/one`)).status).toBe(200)
  })

  test('routes explain says what then happens', async () => {
    const [gateway] = await start()
    await gateway.cli('routes', 'add', '--name', 'page', '--paths', '=/v1/a,~/v2/[ab]+')
    const one = await gateway.cli('routes', 'explain', 'GET', `${gateway.url}/v1/%61?x=1`, '--json')
    expect(JSON.parse(one.stdout)).toMatchObject({
      winner: { route: 'page', service: 'orders', upstream_path: '/?x=1' },
    })
    expect(one.code).toBe(0)
    expect((await fetch(`${gateway.url}/v1/%61?x=1`)).status).toBe(200)
    const other = await gateway.cli('routes', 'explain', 'GET', `${gateway.url}/v1/a/b`)
    expect(other.stdout).toMatch(/No route gets it/)
    expect(other.code).toBe(1)
    expect((await fetch(`${gateway.url}/v1/a/b`)).status).toBe(404)
    const refused = await gateway.cli('routes', 'explain', 'GET', '/%2f')
    expect(refused.stderr).toMatch(/refuses this URL: .*encoded slash/)
    expect(refused.code).toBe(1)
  })

  test('status shows it, reload reads again, and a wrong state folder is explained', async () => {
    const [gateway] = await start()
    expect((await gateway.cli('status')).stdout).toMatch(/ready.*\n.*1 of 1 hold the configuration/)
    expect(JSON.parse((await gateway.cli('status', '--json')).stdout)).toMatchObject({ ready: true })
    expect((await gateway.cli('reload')).code).toBe(0)
    const { code, stderr } = await gateway.cli('status', '--state', '/nowhere')
    expect(stderr).toMatch(/no admin token \/nowhere\/admin-token.*--state/)
    expect(code).toBe(1)
  })
})
