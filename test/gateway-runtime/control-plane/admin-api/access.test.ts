import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type AdminCall, adminToken, callAdmin } from '../../../support/admin-client.ts'
import { type Authority, newAuthority } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort, freePorts } from '../../../support/ports.ts'

let gateway: TestGateway
let authority: Authority
let tlsPort: number

const hash = (token: string) => createHash('sha256').update(token).digest('hex')
const entry = (name: string, rights: object) => ({ name, sha256: hash(name), ...rights })

beforeAll(async () => {
  const [port, secure] = (await freePorts(2)) as [number, number]
  tlsPort = secure
  authority = await newAuthority()
  gateway = await startGateway({
    config: {
      admin: {
        port,
        tls_port: tlsPort,
        tls_host: '127.0.0.1',
        hosts: ['admin.example.com'],
        client_ca: './clients.pem',
        clients: [{ subject: 'ops.example.com', role: 'operator' }],
        tokens: [
          entry('viewer-token', { role: 'viewer' }),
          entry('operator-token', { role: 'operator' }),
          entry('team-token', { role: 'operator', tags: ['team-a'], names: ['a-*-x'] }),
        ],
      },
      services: [
        { name: 'base', url: 'http://127.0.0.1:9' },
        { name: 'ours', url: 'http://127.0.0.1:9', tags: ['team-a'] },
      ],
    },
    files: { 'clients.pem': authority.certificate },
  })
  Object.assign(gateway, { adminUrl: `http://127.0.0.1:${port}` })
})

afterAll(() => gateway?.stop())

const call = (path: string, options: AdminCall = {}) => callAdmin(`${gateway.adminUrl}${path}`, options)
const callTls = (path: string, options: AdminCall = {}) =>
  callAdmin(`https://127.0.0.1:${tlsPort}${path}`, {
    ...options,
    tls: { rejectUnauthorized: false, agent: false, ...options.tls },
  })

const service = { name: 'new', url: 'http://127.0.0.1:9' }

describe('roles', () => {
  test.each([
    ['viewer-token', 200, 403],
    ['operator-token', 200, 201],
  ])('%s reads with %i and adds with %i', async (token, read, added) => {
    expect((await call('/services', { token })).status).toBe(read)
    expect((await call('/services', { token, method: 'POST', body: service })).status).toBe(added)
    await call('/services/new', { token: adminToken(gateway), method: 'DELETE' })
  })

  test('a viewer may ask which route a request takes', async () => {
    const body = { method: 'GET', url: '/' }
    expect((await call('/routes/explain', { token: 'viewer-token', method: 'POST', body })).status).toBe(200)
  })

  test.each([
    ['another entity', 'PATCH', '/services/base', { retries: 1 }],
    ['an entity that would be theirs only then', 'PATCH', '/services/base', { tags: ['team-a'] }],
    ['an entity that would no longer be theirs', 'PATCH', '/services/ours', { tags: [] }],
    ['an entity of no tag', 'POST', '/services', service],
    ['another entity, to delete it', 'DELETE', '/services/base', undefined],
    ['a name that is only nearly theirs', 'PUT', '/services/a-x', { url: 'http://127.0.0.1:9' }],
  ])('a token with tags and names does not change %s', async (_, method, path, body) => {
    const answer = await call(path, { token: 'team-token', method, body })
    expect(answer).toMatchObject({ status: 403, body: { code: 'out-of-scope' } })
  })

  test('it changes what has its tag or name', async () => {
    const token = 'team-token'
    expect((await call('/services/ours', { token, method: 'PATCH', body: { retries: 1 } })).status).toBe(200)
    const named = { url: 'http://127.0.0.1:9' }
    expect((await call('/services/a-1-x', { token, method: 'PUT', body: named })).status).toBe(201)
    expect((await call('/services/a-1-x', { token, method: 'DELETE' })).status).toBe(204)
  })
})

describe('pages of other sites are refused, though they had a token', () => {
  test.each([
    ['a form', { origin: 'http://evil.example', 'content-type': 'application/x-www-form-urlencoded' }],
    ['a script', { origin: 'http://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['the same host with another scheme', { origin: 'https://127.0.0.1' }],
    ['a request without Origin', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling of the site', { 'sec-fetch-site': 'same-site' }],
    ['a name that resolves to this address', { host: 'evil.example' }],
  ])('%s', async (_, headers) => {
    const token = adminToken(gateway)
    const answer = await call('/services', { token, method: 'POST', body: service, headers })
    expect(answer.status).toBe(403)
    expect((await call('/services/new', { token })).status).toBe(404)
  })

  test('a name of admin.hosts is let in', async () => {
    const options = { token: 'viewer-token', headers: { host: 'admin.example.com:8001' } }
    expect((await call('/services', options)).status).toBe(200)
  })
})

describe('the port with TLS', () => {
  test('shows a self-signed certificate whose key is for the owner alone', async () => {
    expect((await callTls('/services', { token: 'viewer-token' })).status).toBe(200)
    expect((await callTls('/services')).status).toBe(401)
    expect((await stat(join(gateway.stateDirectory, 'admin.key'))).mode & 0o777).toBe(0o600)
    const ca = await readFile(join(gateway.stateDirectory, 'admin.crt'), 'utf8')
    const answer = await callTls('/services', {
      token: 'viewer-token',
      tls: { ca, rejectUnauthorized: true },
    })
    expect(answer.status).toBe(200)
  })

  test('speaks TLS 1.3 only', async () => {
    const socket = connect({ port: tlsPort, maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    const code = await new Promise((resolve) => socket.once('error', (error) => resolve(error.message)))
    expect(code).toMatch(/protocol version/)
  })

  test.each([
    ['of a known client', 'ops.example.com', true, 200],
    ['of another client', 'other.example.com', true, 403],
    ['of another authority', 'ops.example.com', false, 401],
  ])('a certificate %s is answered with its status', async (_, name, isOurs, status) => {
    const issuer = isOurs ? authority : await newAuthority()
    const { certificate, key } = await issuer.issue({ dns: [name] })
    expect((await callTls('/services', { tls: { cert: certificate, key } })).status).toBe(status)
  })
})

test('every change is in the audit log, with who made it and without secrets', async () => {
  const { certificate, key } = await authority.issue({ dns: ['ops.example.com'] })
  const method = 'PUT'
  const body = { url: 'http://127.0.0.1:9', tags: ['audited'] }
  await callTls('/services/audited', { method, body, tls: { cert: certificate, key } })
  await call('/services/audited', { token: 'operator-token', method: 'PATCH', body: { retries: 7 } })
  await writeFile(join(gateway.configDirectory, 'more.yaml'), 'services: [{name: by-hand, url: "http://h"}]')
  const text = await eventually('all lines', async () => {
    const log = await readFile(join(gateway.logDirectory, 'audit.log'), 'utf8').catch(() => '')
    return log.includes('by-hand') && log
  })
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.slice(-3)).toMatchObject([
    {
      author: 'ops.example.com',
      role: 'operator',
      via: 'certificate',
      peer: '127.0.0.1',
      request: 'PUT /services/audited',
      changes: [{ entity: 'services/audited', change: 'add', fields: [{ path: '', after: body }] }],
    },
    {
      author: 'operator-token',
      via: 'token',
      changes: [{ change: 'update', fields: [{ path: 'retries', after: 7 }] }],
    },
    { author: 'files', changes: [{ entity: 'services/by-hand', change: 'add' }] },
  ])
})

test('a new token is in force as soon as the file says so', async () => {
  const made = await gateway.cli('token', '--name', 'late', '--role', 'operator', '--json')
  const { token, entry: line } = JSON.parse(made.stdout)
  expect(line).toEqual({ name: 'late', role: 'operator', sha256: hash(token) })
  expect((await call('/services', { token })).status).toBe(401)
  const path = join(gateway.configDirectory, 'config.yaml')
  const text = await readFile(path, 'utf8')
  const yaml = `    - {name: late, role: operator, sha256: ${line.sha256}}\n`
  await writeFile(path, text.replace(/( +tokens:\n)/, `$1${yaml}`))
  await eventually('the token', async () => (await call('/services', { token })).status === 200)
})

test('a gateway without tls_port has no port with TLS, and needs no settings', async () => {
  const port = await freePort()
  const plain = await startGateway({ config: { admin: { port } } })
  try {
    const url = `http://127.0.0.1:${port}/`
    expect((await callAdmin(url, { token: adminToken(plain) })).status).toBe(200)
    expect((await callAdmin(url, {})).status).toBe(401)
    await expect(stat(join(plain.stateDirectory, 'admin.key'))).rejects.toThrow('ENOENT')
    expect(plain.process.output()).toContain(`Bearer $(cat ${join(plain.stateDirectory, 'admin-token')})`)
    expect(plain.process.output()).not.toContain(adminToken(plain))
  } finally {
    await plain.stop()
  }
})
