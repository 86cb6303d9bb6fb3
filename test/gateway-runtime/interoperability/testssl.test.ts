import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect } from '@jest/globals'
import { startRedisCluster } from '../../support/redis-cluster.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { startUpstream } from '../../support/upstream.ts'
import { startWithBothListeners } from './both-listeners.ts'

const testssl = await programForTests('testssl')
const redisProgram = await programForTests('redis-server')
const redisServer = testssl.isInstalled ? redisProgram : testssl

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

const offer = ['--protocols', '--std', '-f'] // -f: forward secrecy, which versions name differently
const weaknesses = ['--heartbleed', '--ccs', '--robot', '--renegotiation', '--crime']

/** Milliseconds that a scan may take. */
const limit = 60_000

/** Scans a TLS listener with these settings; what was found, by its id. */
async function scan(
  listener: object,
  checks: readonly string[],
  config: object = {},
): Promise<Map<string, Finding>> {
  const folder = await newFolder()
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const { gateway, securePort } = await startWithBothListeners(folder, upstream.url, config, listener)
  ended.push(() => gateway.stop())
  const file = join(folder, 'findings.json')
  const quietly = ['--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'none', '--ip', '127.0.0.1']
  const { code, stdout, stderr } = await testssl.run(
    [...quietly, '--jsonfile', file, ...checks, `localhost:${securePort}`],
    { limit },
  )
  if (code === null) throw new Error(`testssl took over ${limit} ms:\n${stdout}${stderr}`)
  const findings: Finding[] = JSON.parse(await readFile(file, 'utf8'))
  return new Map(findings.map((finding) => [finding.id, finding]))
}

/** What is worse than LOW, or could not be looked at. */
const grave = (findings: Map<string, Finding>) =>
  [...findings.values()].filter(
    ({ id, severity }) =>
      !['OK', 'INFO', 'LOW'].includes(severity) &&
      // Of the OpenSSL beside testssl, not of the gateway: it has no engine for GOST, which nothing here speaks.
      id !== 'engine_problem',
  )

const protocols = ['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', 'TLS1_2', 'TLS1_3']
const offered = (findings: Map<string, Finding>) =>
  protocols.filter((id) => {
    const { finding } = findings.get(id)! // each must have been looked at
    return !finding.startsWith('not offered')
  })

const ciphers = (findings: Map<string, Finding>) => {
  const found = findings.get('PFS_ciphers') ?? findings.get('FS_ciphers')
  return found!.finding.trim().split(/\s+/).sort()
}

const ofTls13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

describe('testssl', () => {
  testssl.test(
    'finds TLS 1.3 alone where nothing is set, and nothing grave',
    async () => {
      const findings = await scan({}, [...offer, ...weaknesses])
      expect(grave(findings)).toEqual([])
      expect(offered(findings)).toEqual(['TLS1_3'])
      expect(ciphers(findings)).toEqual(ofTls13)
      expect(findings.get('ALPN_HTTP2')).toMatchObject({ severity: 'OK' })
    },
    2 * limit,
  )

  testssl.test(
    'finds only AEAD with ECDHE where TLS 1.2 is allowed',
    async () => {
      const findings = await scan({ min_tls_version: '1.2' }, offer)
      expect(grave(findings)).toEqual([])
      expect(offered(findings)).toEqual(['TLS1_2', 'TLS1_3'])
      // The certificate has a key for ECDSA: there are no others to be found.
      expect(ciphers(findings)).toEqual([
        'ECDHE-ECDSA-AES128-GCM-SHA256',
        'ECDHE-ECDSA-AES256-GCM-SHA384',
        'ECDHE-ECDSA-CHACHA20-POLY1305',
        ...ofTls13,
      ])
      const categories = [...findings.values()].filter(({ id }) => id.startsWith('cipherlist_'))
      const weak = categories.filter(({ id }) => !id.startsWith('cipherlist_STRONG'))
      expect(weak.length).toBeGreaterThan(4) // NULL, anonymous, EXPORT, LOW, 3DES, CBC
      expect(weak.filter(({ finding }) => finding !== 'not offered')).toEqual([])
    },
    2 * limit,
  )

  testssl.test(
    'finds no weakness where TLS 1.2 is allowed',
    async () => {
      const findings = await scan({ min_tls_version: '1.2' }, weaknesses)
      expect(grave(findings)).toEqual([])
      const looked = ['heartbleed', 'CCS', 'ROBOT', 'secure_renego', 'secure_client_renego', 'CRIME_TLS']
      expect(looked.map((id) => [id, findings.get(id)?.severity])).toEqual(looked.map((id) => [id, 'OK']))
    },
    2 * limit,
  )

  redisServer.test(
    'finds nothing against session tickets whose keys all nodes have from their store',
    async () => {
      const redis = await startRedisCluster(redisServer.path)
      ended.push(() => redis.stop())
      const config = {
        redis: { cluster: redis.addresses },
        certificate_store: { kind: 'redis', encryption_key: Buffer.alloc(32, 1).toString('base64') },
      }
      const findings = await scan({ min_tls_version: '1.2' }, ['--server-defaults', '--ticketbleed'], config)
      // Of the certificate, which is the test's own: neither its authority nor its lifetime are public ones.
      // A check that found no connection on a busy machine says nothing.
      const isOfGateway = ({ id, finding }: Finding) =>
        /^(TLS_|SSL_session|ticketbleed|sessionresumption)/i.test(id) && !/connect problem/.test(finding)
      expect(grave(findings).filter(isOfGateway)).toEqual([])
      expect(findings.get('ticketbleed')).toMatchObject({ severity: 'OK' })
      expect(findings.get('TLS_session_ticket')).toMatchObject({
        finding: expect.stringMatching(/valid for 300 seconds/),
      })
    },
    2 * limit,
  )
})
