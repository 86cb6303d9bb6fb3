import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatProblem, loadConfiguration, readFolder } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import {
  developmentAuthority,
  ensureServerCertificate,
} from '../../../scripts/start/development-certificates.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { configurationError, contentsOf, type Files, load, problemsOf } from './configurations.ts'

const newFolder = temporaryFolders()

const env = (name: string) => `\${env:${name}}`
const file = (path: string) => `\${file:${path}}`

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await newFolder()
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

const large = `~/${'(?:a{2}b?)(?:[ab]|c){16}'.repeat(7)}`

describe('what people get wrong', () => {
  test('an unknown key, with the nearest that is known', () => {
    const services = 'services:\n  - name: orders\n    url: http://10.0.0.1\n    conect_timeout: 5000ms\n'
    expect(problemsOf({ 'services.yaml': services })).toEqual([
      'services.yaml:4:5: unknown key "conect_timeout"; did you mean "connect_timeout"?',
    ])
  })

  test('an unknown key that is near to none names those that are known', () => {
    expect(problemsOf('status: { zzzzzzzz: 1 }')).toEqual([
      'config.yaml:1:11: unknown key "zzzzzzzz"; known here: host, port',
    ])
  })

  test('a misspelt key is not reported a second time as what is missing', () => {
    expect(problemsOf('services:\n  - { name: a, ulr: http://a }')).toEqual([
      'config.yaml:2:16: unknown key "ulr"; did you mean "url"?',
    ])
  })

  test('a duplicate route, with the place of the first', () => {
    const problems = problemsOf({
      'config.yaml': 'routes:\n  - name: a\n    service: s\n    paths: [/a]\n',
      'services.yaml': 'services: [{ name: s, url: http://s }]\n',
      'more.yaml': 'routes:\n  - { name: a, service: s, paths: [/b] }\n',
    })
    expect(problems).toEqual([
      'more.yaml:2:13: duplicate route "a": it is defined in config.yaml:2:11 already',
    ])
  })

  test('a route to no service, with the nearest name', () => {
    const problems = problemsOf({
      'config.yaml': 'routes:\n  - name: a\n    service: oders\n    paths: [/a]\n',
      'services.yaml': 'services: [{ name: orders, url: http://s }]\n',
    })
    expect(problems).toEqual(['config.yaml:3:14: no service is called "oders"; did you mean "orders"?'])
  })

  test.each([
    ['listeners:\n  - port: 70000\n', '2:11: expected a number of at most 65535, found 70000'],
    ['admin: { port: 0 }\n', '1:16: expected a number of at least 1, found 0'],
    [
      'services:\n  - name: s\n    url: http://s:70000\n',
      '3:10: expected http://, https://, grpc:// or grpcs:// with a host',
    ],
    [
      'upstreams:\n  - name: u\n    targets: [{ target: "a:70000" }]\n',
      '3:25: expected a port from 1 to 65535',
    ],
  ])('a port out of range: %j', (text, problem) => {
    expect(problemsOf(text)[0]).toContain(`config.yaml:${problem}`)
  })

  test.each([
    ['routes: [\nservices: []\n', '2:1: invalid YAML: "[" is not closed by "]" before this'],
    ['admin:\n\tport: 1\n', '2:1: invalid YAML: tabs are not allowed as indentation'],
    ['admin: { port: 1\n', '2:1: invalid YAML: "{" is not closed by "}" before this'],
    ['a: 1\nb: 2\na: 3\n', '3:1: duplicate key "a" in one mapping'],
    ['a: 1\n---\nb: 2\n', '2:1: a second YAML document begins here'],
    ['a: *none\n', '1:4: unknown alias "*none"'],
    ['a: !secret x\n', '1:4: unknown YAML tag "!secret"'],
    ['- 1\n', '1:1: expected a mapping of keys, such as "services:", found a list'],
    ['routes: /v1\n', '1:9: expected a list of routes, found "/v1"'],
  ])('YAML that is wrong: %j', (text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(`config.yaml:${problem}`)])
  })

  test('a reference without quotes within braces', () => {
    expect(problemsOf(`logs: { directory: ${env('LOGS')} }\n`)).toEqual([
      `config.yaml:1:21: invalid YAML: unexpected "{" after a value; within { } or [ ], put a \${…} reference in quotes`,
    ])
  })

  test.each([
    ['~/v1/(\\d+', '5:13: invalid regular expression "~/v1/(\\d+": unterminated group'],
    ['~', '5:13: expected a regular expression after "~", found "~"'],
    ['~/a(?=b)', '5:13: the regular expression "~/a(?=b)" uses lookaround ("(?=")'],
    ['~/a(?<!b)', '5:13: the regular expression "~/a(?<!b)" uses lookaround ("(?<!")'],
    ['~/(a)/\\1', '5:13: the regular expression "~/(a)/\\1" uses a backreference ("\\1")'],
    ['~/(?<x>a)\\k<x>', '5:13: the regular expression "~/(?<x>a)\\k<x>" uses a backreference ("\\k<")'],
    ['~/(?i:a)', '5:13: the regular expression "~/(?i:a)" uses modifiers ("(?i:")'],
    ['~/a{17}', '5:13: the regular expression "~/a{17}" uses a part that is repeated more than 16 times'],
    ['~/((a{3}){3}){2}', '5:13: the regular expression "~/((a{3}){3}){2}" uses a part that is repeated more'],
    [
      '~/(?:(?:a{4}b|c){4}[^/]*){16}',
      '5:13: the regular expression "~/(?:(?:a{4}b|c){4}[^/]*){16}" uses a part that is repeated more',
    ],
    [
      `~/${'a'.repeat(512)}`,
      `5:13: the regular expression "~/${'a'.repeat(512)}" is too large: with its repetitions it has 513 parts, more than 512`,
    ],
    [large, `5:13: the regular expression "${large}" is too large: with its repetitions it has 582 parts`],
  ])('a path that is no regular expression: %s', (path, problem) => {
    const text = `services: [{ name: s, url: http://s }]\nroutes:\n  - name: a\n    service: s\n    paths: ['${path}']\n`
    expect(problemsOf(text)).toEqual([expect.stringContaining(`config.yaml:${problem}`)])
  })

  test('headers and query are checked for regular expressions as paths are', () => {
    const conditions = "headers: { X-A: [b, '~(c'] }, query: { q: ['~(?=d)', '~'] }"
    expect(
      problemsOf(
        `services: [{ name: s, url: http://s }]\nroutes:\n  - { name: a, service: s, ${conditions} }\n`,
      ),
    ).toEqual([
      'config.yaml:3:48: invalid regular expression "~(c": unterminated group',
      expect.stringMatching(/^config\.yaml:3:71: the regular expression "~\(\?=d\)" uses lookaround/),
      'config.yaml:3:81: expected a regular expression after "~", found "~"',
    ])
  })

  test.each([
    '~/v1/\\d+',
    '~^/v1$',
    '~/[(?=]x',
    '~/a\\(?=b',
    '~/\\\\1',
    '~/(?<id>[^/]+)',
    '~/a{1,16}',
    '~/(a+)+',
  ])('a regular expression that is right: %s', (path) => {
    const text = `services: [{ name: s, url: http://s }]\nroutes: [{ name: a, service: s, paths: ['${path}'] }]`
    expect(load(text).routes[0]?.paths).toEqual([path])
  })

  test('a directory in place of a file', async () => {
    const folder = await folderOf({ 'config.yaml': '# nothing' })
    await mkdir(join(folder, 'services.yaml'))
    expect(configurationError(() => loadConfiguration(folder)).message).toBe(
      'services.yaml:1:1: cannot be read: it is a directory',
    )
  })

  test('a symbolic link to nothing', async () => {
    const folder = await folderOf({ 'config.yaml': '# nothing' })
    await symlink('/nowhere/services.yaml', join(folder, 'services.yaml'))
    expect(configurationError(() => loadConfiguration(folder)).message).toBe(
      'services.yaml:1:1: cannot be read: no such file or directory',
    )
  })

  test('a file that is too large, or no text', async () => {
    const folder = await folderOf({ 'config.yaml': `# ${'x'.repeat(1_048_576)}` })
    await writeFile(join(folder, 'services.yaml'), Buffer.from([0x61, 0xff, 0x0a]))
    expect(configurationError(() => loadConfiguration(folder)).message.split('\n')).toEqual([
      'config.yaml:1:1: cannot be read: it is larger than 1 MiB',
      'services.yaml:1:1: cannot be read: it is not UTF-8 text',
    ])
  })

  test('a folder that is not there, holds nothing, or too much', async () => {
    expect(configurationError(() => loadConfiguration('/nowhere')).message).toBe(
      '/nowhere: the configuration folder cannot be read: no such file or directory',
    )
    const empty = await folderOf({ 'environment.yaml': '', 'README.md': '', '.hidden.yaml': '' })
    expect(configurationError(() => loadConfiguration(empty)).message).toContain('no configuration here')
    const full = await folderOf(
      Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`${index}.yaml`, ''])),
    )
    expect(configurationError(() => loadConfiguration(full)).message).toContain('257 YAML files; at most 256')
  })

  test.each([
    ['"80"', 'expected a number, found "80"; write it without quotes: 80'],
    ['1.5', 'expected a whole number, found 1.5'],
    ['[80]', 'expected a number, found a list'],
    ['', 'expected a number, found nothing'],
  ])('a port that is %s', (value, message) => {
    const [problem] = problemsOf(`admin:\n  port: ${value}\n`)
    expect(problem).toBe(`config.yaml:2:${value === '' ? 3 : 9}: ${message}`)
  })

  test('a text that YAML takes for a number', () => {
    expect(problemsOf('listeners: [{ port: 1, min_tls_version: 1.3 }]')).toEqual([
      'config.yaml:1:41: expected "1.2" or "1.3", found 1.3; put it in quotes: \'1.3\'',
    ])
  })

  test('what several types could be', () => {
    expect(problemsOf('workers: many\ntrusted_proxies: [here]\n')).toEqual([
      'config.yaml:1:10: expected "auto" or a number, found "many"',
      'config.yaml:2:19: expected an IPv4 network, an IPv6 network, an IPv4 address or an IPv6 address, found "here"',
    ])
  })

  test('a missing key stands at the entity that lacks it', () => {
    expect(problemsOf('services:\n  - url: http://a\n')).toEqual([
      'config.yaml:2:5: missing key "name": expected text',
    ])
  })

  test('settings of plugins, by their own schema', () => {
    const text = `plugins:
  - name: rate-limit
  - name: rate-limiting
    config:
      limit: 0
      perod: second
`
    expect(problemsOf(text)).toEqual([
      'config.yaml:2:11: no plugin is called "rate-limit"; did you mean "rate-limiting"?',
      'config.yaml:5:14: expected a number of at least 1, found 0',
      'config.yaml:5:14: limit and period go together',
      'config.yaml:6:7: unknown key "perod"; did you mean "period"?',
    ])
  })

  test('plugins that are doubled or belong to nothing', () => {
    const limit = 'config: { limit: 1, period: second }'
    const text = `services: [{ name: s, url: http://s }]
plugins:
  - { name: rate-limiting, ${limit} }
  - { name: rate-limiting, ${limit} }
  - { name: rate-limiting, service: s, ${limit} }
  - { name: rate-limiting, service: t, ${limit} }
  - { name: rate-limiting, route: r, ${limit} }
`
    expect(problemsOf(text)).toEqual([
      'config.yaml:4:13: duplicate plugin "rate-limiting" for all routes: it is defined in config.yaml:3:13 already',
      'config.yaml:6:37: no service is called "t"',
      'config.yaml:7:35: no route is called "r"',
    ])
  })

  test('sockets on one address', () => {
    const text = `listeners:
  - { port: 80 }
  - { port: 80 }
  - { port: 9090, host: 10.0.0.1 }
  - { port: 81, host: 10.0.0.1 }
  - { port: 81, host: 10.0.0.2 }
  - { port: 81 }
`
    expect(problemsOf(text)).toEqual([
      'config.yaml:1:1: status on port 9090, where a listener is already (config.yaml:4:13)',
      'config.yaml:3:13: a listener on port 80, where a listener is already (config.yaml:2:13)',
    ])
  })

  test('an upstream that is not there, and one with a target twice', () => {
    const text = `services: [{ name: s, upstream: eats }]
upstreams:
  - name: east
    targets: [{ target: 'a:1' }, { target: 'a:1' }]
`
    expect(problemsOf(text)).toEqual([
      'config.yaml:1:33: no upstream is called "eats"; did you mean "east"?',
      'config.yaml:4:44: this upstream has the same target already',
    ])
  })

  test('all at once, over all files, each with its entity', () => {
    const error = configurationError(() =>
      load({
        'config.yaml': 'limts: {}\nroutes:\n  - { name: a, service: b, paths: [v1] }\n',
        'services.yaml': 'services:\n  - { name: c, url: ftp://c }\n',
      }),
    )
    expect(error.problems).toEqual([
      {
        file: 'config.yaml',
        line: 1,
        column: 1,
        path: 'limts',
        message: 'unknown key "limts"; did you mean "limits"?',
      },
      expect.objectContaining({
        line: 3,
        column: 25,
        path: 'routes.0.service',
        entity: { collection: 'routes', name: 'a' },
      }),
      expect.objectContaining({ line: 3, column: 36, path: 'routes.0.paths.0' }),
      expect.objectContaining({
        file: 'services.yaml',
        line: 2,
        column: 21,
        entity: { collection: 'services', name: 'c' },
      }),
    ])
    expect(error.code).toBe('invalid-configuration')
  })

  test('problems without end are counted, not listed', () => {
    const routes = Array.from({ length: 250 }, (_, index) => ({
      name: `r${index}`,
      service: 'x',
      paths: ['/'],
    }))
    const lines = problemsOf(JSON.stringify({ routes }))
    expect(lines).toHaveLength(101)
    expect(lines.at(-1)).toBe('… and 150 more problems')
  })

  test.each([
    ['brackets', `a: ${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['braces', `a: ${'{a: '.repeat(200)}1${'}'.repeat(200)}`],
    ['indentation', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('nesting without end: %s', (_, text) => {
    expect(problemsOf(text)[0]).toContain('nested too deeply')
  })

  test('aliases that multiply', () => {
    const lines = ['a0: &a0 [x, x]']
    for (let level = 1; level < 20; level++)
      lines.push(`a${level}: &a${level} [*a${level - 1}, *a${level - 1}, *a${level - 1}]`)
    expect(problemsOf(lines.join('\n'))).toEqual([
      'config.yaml:1:1: more than 100 values come through aliases',
    ])
  })
})

describe('files', () => {
  test('lists of all files are put one behind the other, config.yaml first', async () => {
    const service = (name: string) => `services:\n  - { name: ${name}, url: "http://${name}" }\n`
    const folder = await folderOf({
      'a.yaml': service('a'),
      'services.yaml': service('s'),
      'config.yaml': service('c'),
      'b.yml': service('b'),
      'environment.yaml': 'target: [',
    })
    const { configuration } = loadConfiguration(folder)
    expect(configuration.services.map(({ name }) => name)).toEqual(['c', 's', 'a', 'b'])
  })

  test('another key stands in one file only', () => {
    expect(
      problemsOf({ 'config.yaml': '# x\nadmin: { port: 1 }\n', 'b.yaml': 'admin: { port: 1 }\n' }),
    ).toEqual(['b.yaml:1:1: "admin" stands in config.yaml:2:1 already; it may stand in one file only'])
  })

  test('what is empty, a comment, or a key without a value says nothing', () => {
    const configuration = load({
      'config.yaml': '',
      'a.yaml': '# nothing\n',
      'b.yaml': 'routes:\n  # none\nadmin:\n',
    })
    expect(configuration).toMatchObject({
      routes: [],
      services: [],
      admin: { host: '127.0.0.1', port: 8001 },
    })
  })

  test('a file without a byte is refused: it may be about to be written', async () => {
    const folder = await folderOf({ 'config.yaml': '# nothing', 'services.yaml': '' })
    expect(configurationError(() => loadConfiguration(folder)).message).toBe(
      'services.yaml: the file is empty: where it shall say nothing, delete it or write a comment into it',
    )
  })

  test('paths begin at the folder', async () => {
    const folder = await folderOf({
      'config.yaml':
        'listeners: [{ port: 1, protocol: https, certificate: tls/a.crt, key: /etc/a.key }]\nlogs: { directory: ./logs }\n',
    })
    const { configuration } = loadConfiguration(folder)
    expect(configuration.listeners[0]).toMatchObject({
      certificate: join(folder, 'tls/a.crt'),
      key: '/etc/a.key',
    })
    expect(configuration.logs.directory).toBe(join(folder, 'logs'))
  })

  test('a folder reads as the contents that edits take', async () => {
    const folder = await folderOf({ 'services.yaml': '# s\n', 'config.yaml': '\ufeff# c\r\n' })
    expect([...readFolder(folder)]).toEqual([
      ['config.yaml', '\ufeff# c\r\n'],
      ['services.yaml', '# s\n'],
    ])
  })

  test('aliases and block texts are values like others', () => {
    const text =
      'services:\n  - &s { name: a, url: http://a, tags: &t [x] }\n  - { name: b, url: http://b, tags: *t }\n'
    expect(load(text).services.map(({ tags }) => tags)).toEqual([['x'], ['x']])
  })
})

describe('routes that no request comes to', () => {
  const warningsOf = (files: Files) =>
    loadConfiguration('/nowhere', { contents: contentsOf(files) }).warnings.map(formatProblem)

  test('are warned of, with the request that shows it', () => {
    const text = `services: [{ name: s, url: http://s }]
routes:
  - { name: a, service: s, paths: [/v1], priority: 1 }
  - { name: b, service: s, paths: [/v1/b], hosts: [h], headers: { X-A: [x] } }
`
    expect(warningsOf(text)).toEqual([
      'config.yaml:4:13: route "b" is never reached: GET http://h/v1/b with x-a: x goes to "a", never to "b"',
    ])
  })

  test('are warned of without the values that references bring in', () => {
    process.env.GATEHOUSE_TEST_SECRET = 'horse'
    const text = `services: [{ name: s, url: http://s }]
routes:
  - { name: a, service: s, paths: [/v1], priority: 1 }
  - { name: b, service: s, paths: [/v1/b], headers: { X-A: ["${env('GATEHOUSE_TEST_SECRET')}"] } }
`
    expect(warningsOf(text)).toEqual([
      'config.yaml:4:13: route "b" is never reached: "a" gets all that it asks for',
    ])
  })

  test.each([
    ['/a//b', 'requests have it as "/a/b"'],
    ['=/a/./b', 'requests have it as "/a/b"'],
    ['/caf%c3%a9', 'requests have it as "/caf%C3%A9"'],
    ['/%7euser', 'requests have it as "/~user"'],
    ['/a?b', 'requests have it as "/a"'],
    ['/a%2Fb', 'the path holds an encoded slash, backslash or NUL'],
  ])('as no request has the path are warned of: %s', (path, why) => {
    const text = `services: [{ name: s, url: http://s }]\nroutes: [{ name: r, service: s, paths: [/x, "${path}"] }]\n`
    expect(warningsOf(text)).toEqual([
      `config.yaml:2:45: route "r" has a path that no request has, ${JSON.stringify(path)}: ${why}`,
    ])
  })

  test.each(['/a/', '=/a/', '/caf%C3%A9', '/a%20b', '/~user', '/é', '/A..b', '/a//'])(
    '%s is a path as requests have it',
    (path) => {
      const text = `services: [{ name: s, url: http://s }]\nroutes: [{ name: r, service: s, paths: ["${path}"] }]\n`
      expect(warningsOf(text)).toEqual([])
    },
  )

  test('because another asks for the same are an error', () => {
    const files = {
      'a.yaml': 'routes: [{ name: a, service: s, paths: [/v1], methods: [GET, PUT] }]\n',
      'b.yaml':
        'services: [{ name: s, url: http://s }]\nroutes: [{ name: b, service: s, paths: [/v1/], methods: [PUT, GET] }]\n',
    }
    expect(problemsOf(files)).toEqual([
      'b.yaml:2:18: route "b" asks for the same requests as "a" (a.yaml:1:18), which gets them all; take one of them away',
    ])
  })
})

describe('listeners that cannot work', () => {
  test.each([
    ['listeners: [{ port: 1, proxy_protocol: true }]', 'proxy_protocol needs trusted_proxies'],
    [
      'listeners: [{ port: 1, protocol: https }]',
      'an https listener needs certificate and key, or certificates',
    ],
    ['listeners: [{ port: 1, protocol: https, certificate: a.crt }]', 'certificate and key go together'],
    [
      'listeners: [{ port: 1, client_certificates: { ca: a.crt } }]',
      'client_certificates go with protocol: https',
    ],
    [
      'certificates: [{ name: a, certificate: a.crt, key: "-----BEGIN PRIVATE KEY-----" }]',
      'a private key does not belong here; name its file in its place',
    ],
    [
      'certificates: [{ name: a, certificate: a, key: b }, { name: a, certificate: a, key: b }]',
      'duplicate certificate "a"',
    ],
  ])('%s', (text, message) => {
    expect(problemsOf(text).join()).toContain(message)
  })
})

describe('certificates', () => {
  async function tlsFolder(listener: string) {
    const folder = await newFolder()
    const at = (name: string) => ({
      certificate: join(folder, `${name}.crt`),
      key: join(folder, `${name}.key`),
    })
    const authority = await developmentAuthority(folder)
    await ensureServerCertificate(at('a'), authority)
    await ensureServerCertificate(at('b'), authority)
    await writeFile(
      join(folder, 'config.yaml'),
      `listeners:\n  - { port: 443, protocol: https, ${listener} }\n`,
    )
    return folder
  }

  test('that belong to their key are right', async () => {
    const folder = await tlsFolder('certificate: a.crt, key: a.key')
    expect(loadConfiguration(folder, { checkFiles: true }).configuration.listeners).toHaveLength(1)
  })

  test.each([
    ['certificate: a.crt, key: b.key', '2:60: this private key does not belong to the certificate'],
    ['certificate: no.crt, key: b.key', '2:48: the certificate cannot be read: no such file or directory'],
    ['certificate: a.key, key: a.crt', '2:48: not a certificate in PEM'],
  ])('that do not: %s', async (listener, problem) => {
    const folder = await tlsFolder(listener)
    expect(configurationError(() => loadConfiguration(folder, { checkFiles: true })).message).toContain(
      `config.yaml:${problem}`,
    )
    expect(loadConfiguration(folder).configuration.listeners).toHaveLength(1)
  })
})

describe('references', () => {
  const secret = 'correct horse battery staple'

  test('bring in variables and files, and are shown as they are', async () => {
    process.env.GATEHOUSE_TEST_HOST = 'orders.internal'
    const folder = await folderOf({
      'config.yaml': `services: [{ name: s, url: "http://${env('GATEHOUSE_TEST_HOST')}:1/${file('path.txt')}" }]\n`,
      'path.txt': 'v1\n',
    })
    const { configuration, shown } = loadConfiguration(folder)
    expect(configuration.services[0]?.url).toBe('http://orders.internal:1/v1')
    expect(shown).toEqual({
      services: [{ name: 's', url: `http://${env('GATEHOUSE_TEST_HOST')}:1/${file('path.txt')}` }],
    })
  })

  test('to nothing are errors, and the only ones at their place', () => {
    delete process.env.GATEHOUSE_TEST_NONE
    const text = `services:
  - name: s
    url: ${env('GATEHOUSE_TEST_NONE')}
  - name: t
    url: http://${file('none.txt')}
  - name: u
    url: http://\${env:OPEN
`
    expect(problemsOf(text)).toEqual([
      'config.yaml:3:10: environment variable "GATEHOUSE_TEST_NONE" is not set',
      'config.yaml:5:10: file "none.txt" cannot be read: no such file or directory',
      `config.yaml:7:10: \${env:OPEN has no closing brace`,
    ])
  })

  test('never show their values in messages', () => {
    process.env.GATEHOUSE_TEST_SECRET = secret
    const reference = `"${env('GATEHOUSE_TEST_SECRET')}"`
    const text = `listeners: [{ port: ${reference} }]
workers: ${reference}
trusted_proxies: [${reference}]
logs: ${reference}
services: [{ name: ${reference}, url: ${reference}, retries: ${reference}, upstream: ${reference} }]
routes: [{ name: r, service: ${reference}, paths: [${reference}, "~(${env('GATEHOUSE_TEST_SECRET')}"] }]
plugins: [{ name: ${reference}, config: ${reference} }, { name: rate-limiting, config: { limit: ${reference}, period: ${reference}, by: ${reference} } }]
`
    const error = configurationError(() => load(text))
    expect(error.problems.length).toBeGreaterThan(10)
    expect(JSON.stringify([error.message, error.problems])).not.toContain('horse')
    expect(error.message).toContain(`found "${env('GATEHOUSE_TEST_SECRET')}"`)
  })
})

test('ten thousand routes are loaded, and a file full of wrong ones is refused', () => {
  const files = (service: string) => {
    const routes = Array.from({ length: 10_000 }, (_, index) => ({
      name: `r${index}`,
      service: `${service}${index}`,
      paths: [`/r${index}`],
    }))
    const services = routes.map((_, index) => ({ name: `s${index}`, url: `http://s${index}` }))
    return contentsOf({
      'config.yaml': JSON.stringify({ routes }),
      'services.yaml': JSON.stringify({ services }),
    })
  }
  expect(loadConfiguration('/nowhere', { contents: files('s') }).configuration.routes).toHaveLength(10_000)
  const error = configurationError(() => loadConfiguration('/nowhere', { contents: files('x') }))
  expect(error.message).toContain('… and 9900 more problems')
})
