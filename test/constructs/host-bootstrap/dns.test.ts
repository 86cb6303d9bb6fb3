import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type DnsRecords, dnsProblems, updateDns } from '../../../constructs/host-bootstrap/dns.ts'
import { freePorts } from '../../../scripts/process/free-port.ts'
import { startProgram } from '../../../scripts/process/program.ts'
import { eventually } from '../../support/eventually.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'

const temporaryFolder = temporaryFolders()
const named = await programForTests('named')
const nsupdate = await programForTests('nsupdate')

const records: DnsRecords = {
  server: '127.0.0.1',
  zone: 'example.com',
  names: ['api.example.com', 'www.example.com'],
  addresses: ['192.0.2.100', '2001:db8::100'],
  keyName: 'gateway',
}
const run = (script: string) => spawnSync('bash', ['-euo', 'pipefail', '-c', script], { encoding: 'utf8' })

/** A name server for example.com that takes updates with a key. */
async function startServer(secret: string) {
  const folder = await temporaryFolder()
  const [port] = (await freePorts(1)) as [number]
  const zone = '$TTL 60\n@ SOA ns root 1 60 60 600 60\n@ NS ns\nns A 127.0.0.1\nwww A 203.0.113.9\n'
  writeFileSync(join(folder, 'zone'), zone)
  writeFileSync(
    join(folder, 'named.conf'),
    `options { directory "${folder}"; pid-file none; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; };
controls { };
key gateway { algorithm hmac-sha256; secret "${secret}"; };
zone "example.com" { type primary; file "zone"; allow-update { key gateway; }; };
`,
  )
  const server = await startProgram({
    name: 'named',
    command: [named.path, '-g', '-c', join(folder, 'named.conf')],
  })
  await eventually('named', () => server.output().includes('all zones loaded'), 15_000)
  return { port, server }
}

describe('records of the virtual IPs', () => {
  const test_ = nsupdate.isInstalled ? named.test : nsupdate.test

  test_('are written by signed updates where they are not there, and taken away again', async () => {
    const secret = randomBytes(32).toString('base64')
    const { port, server } = await startServer(secret)
    const state = await temporaryFolder()
    try {
      const [script] = updateDns({ dns: { ...records, port } })
      const update = (key = secret) =>
        run(`state=${state}
say() { echo "$*"; }; fail() { echo "stopped: $*"; exit 1; }; will_change() { echo changed; }
secret() { echo '${key}'; }
${script}`)
      const addresses = (name: string) =>
        ['A', 'AAAA'].flatMap((type) =>
          run(`dig +short @127.0.0.1 -p ${port} ${name} ${type}`).stdout.split('\n').filter(Boolean),
        )
      const refused = update(randomBytes(32).toString('base64'))
      expect([refused.status, refused.stdout]).toEqual([
        1,
        expect.stringContaining('may the key gateway change'),
      ])
      expect(addresses('www.example.com')).toEqual(['203.0.113.9'])

      expect(update()).toMatchObject({ status: 0, stdout: expect.stringContaining('changed') })
      for (const name of records.names) expect(addresses(name)).toEqual(records.addresses)
      expect(update()).toMatchObject({ status: 0, stdout: 'dns\n' })

      expect(readFileSync(join(state, 'dns.key'), 'utf8')).toContain(secret)
      expect(run(`nsupdate -k ${state}/dns.key ${state}/dns.leave`)).toMatchObject({ status: 0 })
      expect(addresses('api.example.com')).toEqual([])
    } finally {
      await server.stop()
    }
    const gone = updateDns({ dns: { ...records, port } })[0]!
    mkdirSync(join(state, 'again'))
    const { status, stderr } = run(
      `state=${state}/again; say() { :; }; secret() { echo x; }; fail() { echo "stopped: $*" >&2; exit 1; }\n${gone}`,
    )
    expect([status, stderr]).toEqual([1, expect.stringContaining('does not answer')])
  })

  test('are refused with what no server takes', () => {
    expect(dnsProblems(records)).toEqual([])
    const wrong = { ...records, server: 'ns', names: ['api.example.org'], keyName: 'a b', addresses: [] }
    expect(dnsProblems(wrong)).toEqual([
      expect.stringContaining('dns.server: expected an IP address'),
      expect.stringContaining('dns.key.name'),
      expect.stringContaining('expected addresses'),
      expect.stringContaining('expected a name in example.com, got "api.example.org"'),
    ])
  })
})
