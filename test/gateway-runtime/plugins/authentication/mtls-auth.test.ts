import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Issued, newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { statusOf } from '../../../support/raw-client.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { ask, openTls } from '../../../support/tls-client.ts'
import { startUpstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const clients = await newAuthority()
const byPrint = await clients.issue({ commonName: 'print' })
const byName = await clients.issue({
  commonName: 'name',
  dns: ['Orders.test'],
  uri: ['spiffe://test/orders'],
})
const bySubject = await clients.issue({ commonName: 'Müller, A' })
const byAll = await clients.issue({ commonName: 'all', dns: ['orders.test'] })
const stranger = await clients.issue({ commonName: 'stranger', dns: ['other.test'] })

const consumer = (name: string, credential: object) => ({ name, credentials: { 'mtls-auth': [credential] } })
const printOf = ({ certificate }: Issued) => new X509Certificate(certificate).fingerprint256
const consumers = [
  consumer('print', { fingerprint: printOf(byPrint) }),
  consumer('host', { san: 'DNS:orders.test' }),
  consumer('subject', { subject: 'CN=M\\C3\\BCller\\, A' }),
  consumer('all', { fingerprint: printOf(byAll) }),
]

async function start(config: object = {}, all: object[] = consumers) {
  const servers = await newAuthority()
  const folder = await newFolder()
  const own = await writeIssued(folder, 'own', await servers.issue({ dns: ['own.test'] }))
  const ca = join(folder, 'clients.crt')
  await writeFile(ca, clients.certificate)
  const port = await freePort()
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      listeners: [
        { host: '127.0.0.1', port, protocol: 'https', ...own, client_certificates: { ca, mode: 'optional' } },
      ],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers: all,
      plugins: [{ name: 'mtls-auth', config }],
    },
  })
  ended.push(() => gateway.stop())
  /** The consumer that the service saw, or the status. */
  const userOf = async (client?: Issued, fields = '') => {
    const identity = client ? { cert: client.certificate, key: client.key } : {}
    const socket = await openTls(port, { ca: servers.certificate, servername: 'own.test', ...identity })
    const answer = await ask(socket, '/', fields)
    if (statusOf(answer) !== 200) return statusOf(answer)
    return /"x-consumer-username":"([^"]*)"/.exec(answer)?.[1]
  }
  return { gateway, userOf }
}

describe('mtls-auth', () => {
  test('knows consumers by fingerprint, then by alternative name, then by subject', async () => {
    const { gateway, userOf } = await start()
    expect(await userOf(byPrint)).toBe('print')
    expect(await userOf(byName)).toBe('host')
    expect(await userOf(bySubject)).toBe('subject')
    expect(await userOf(byAll)).toBe('all')
    expect(await userOf(undefined, `X-Client-Cert-Fingerprint: ${printOf(byPrint)}\r\n`)).toBe(401)
    expect(await userOf(stranger)).toBe(401)
    const log = await eventually('the refusal', async () => {
      const text = await gateway.errorLog()
      return text.includes('certificate refused') && text
    })
    expect(log).toMatch(/certificate refused .*subject="CN=stranger" fingerprint=[0-9a-f]{64} route=all/)
  })

  test('goes by what it is told to alone, and lets those without a certificate pass where it may', async () => {
    const { userOf } = await start({ by: ['san'], anonymous: true })
    expect(await userOf(byPrint)).toBe(401)
    expect(await userOf(byAll)).toBe('host')
    expect(await userOf()).toBe(undefined)
  })

  test('says which credentials are wrong', async () => {
    const wrong = [
      consumer('a', { fingerprint: 'abc' }),
      consumer('b', { san: 'orders.test' }),
      consumer('c', { san: 'DNS:a', subject: 'CN=a' }),
      consumer('d', { san: 'DNS:ORDERS.test' }),
    ]
    const { message } = await start({}, [...consumers, ...wrong]).then(
      () => Promise.reject(new Error('started')),
      (error: Error) => error,
    )
    expect(message).toContain('expected a SHA-256')
    expect(message).toContain('expected DNS:NAME or URI:NAME')
    expect(message).toContain('a credential has one of fingerprint, san or subject')
    expect(message).toContain('has this credential already')
  })
})
