import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { createClient } from '@redis/client'
import {
  type RedisRole,
  redisSettings,
  renderHostBootstrap,
} from '../../../constructs/host-bootstrap/index.ts'
import { renderFirewallRules } from '../../../constructs/host-bootstrap/iptables.ts'
import { gatewayRules, makeCluster, redisFunctions } from '../../../constructs/host-bootstrap/redis.ts'
import { type Program, startProgram } from '../../../scripts/process/program.ts'
import { eventually } from '../../support/eventually.ts'
import { freePorts } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { redisRole } from './roles.ts'

const temporaryFolder = temporaryFolders()
const redis = await programForTests('redis-server')
const hash = (text: string) => createHash('sha256').update(text).digest('hex')

describe('servers of Redis', () => {
  redis.test(
    'become one cluster over distinct hosts, once, and take in one that is new',
    async () => {
      const folder = await temporaryFolder()
      const port = (await freePorts(30)).find((free) => free < 50_000)!
      const hosts = ['127.0.0.41', '127.0.0.42', '127.0.0.43']
      const servers = [port, port + 1].flatMap((each) => hosts.map((address) => ({ address, port: each })))
      const role: RedisRole = { ...redisRole, servers, clients: hosts, makesCluster: true }
      const programs = new Map<string, Program>()
      const start = async (index: number, generation = 0) => {
        const { address, port: own } = servers[index]!
        const directory = join(folder, `${index}-${generation}`)
        mkdirSync(directory)
        writeFileSync(
          join(directory, 'acl'),
          `user default off\nuser gateway on #${hash('mine')} ${gatewayRules}\nuser cluster on #${hash('theirs')} ~* &* +@all\n`,
        )
        writeFileSync(join(directory, 'auth'), 'masteruser cluster\nmasterauth theirs\n')
        const { content } = renderHostBootstrap({ redis: { ...role, address, ports: [own] } }).files.find(
          ({ path }) => path === `/etc/redis/redis-${own}.conf`,
        )!
        const edited = content
          .replace(/^bind .*/m, `bind ${address}`)
          .replace(/^dir .*/m, `dir ${directory}`)
          .replace(/^aclfile .*/m, `aclfile ${directory}/acl`)
          .replace(/^include .*/m, `include ${directory}/auth`)
        writeFileSync(join(directory, 'redis.conf'), edited)
        const command = [redis.path, join(directory, 'redis.conf')] as const
        programs.set(address + own, await startProgram({ name: `redis-${index}`, command }))
      }
      const joinServers = () =>
        spawnSync(
          'bash',
          [
            '-euo',
            'pipefail',
            '-c',
            `say() { :; }\nfail() { echo "$*" >&2; exit 1; }\nwill_change() { echo changed; }\ncluster_password=theirs\n${redisFunctions}\n${makeCluster(role)}`,
          ],
          { encoding: 'utf8', timeout: 90_000 },
        )
      const clientOf = async (username: string, password: string) => {
        const { address, port: own } = servers[0]!
        const client = createClient({ socket: { host: address, port: own }, username, password })
        client.on('error', () => {})
        await client.connect()
        return client
      }
      try {
        for (let index = 0; index < 6; index++) await start(index)
        expect(joinServers()).toMatchObject({ status: 0, stdout: 'changed\n' })
        expect(joinServers()).toMatchObject({ status: 0, stdout: '' })

        const admin = await clientOf('cluster', 'theirs')
        type Shard = [number, number, [string, number], [string, number]?]
        const shards = await eventually(
          'a replica for each primary',
          async () => {
            const all = (await admin.sendCommand(['CLUSTER', 'SLOTS'])) as unknown as Shard[]
            return all.every(([, , , replica]) => replica) && all
          },
          20_000,
        )
        expect(shards).toHaveLength(3)
        for (const [, , primary, replica] of shards) expect(replica![0]).not.toBe(primary[0])

        const mine = await clientOf('gateway', 'mine')
        const refusal = (...command: string[]) =>
          mine.sendCommand(command).then(
            () => 'none',
            (error: Error) => error.message.split(' ')[0],
          )
        expect(await refusal('CLUSTER', 'SLOTS')).toBe('none')
        expect(await refusal('PUBLISH', 'gatehouse:x', '1')).toBe('none')
        for (const command of [
          'FLUSHALL',
          'CONFIG GET *',
          'KEYS *',
          'GET other',
          'CLUSTER RESET',
          'ACL LIST',
        ]) {
          expect([command, await refusal(...command.split(' '))]).toEqual([command, 'NOPERM'])
        }

        // A host that was made anew: its server comes back empty, under another identity.
        const replica = shards[0]![3]!
        await programs.get(replica[0] + replica[1])!.stop()
        await start(
          servers.findIndex(({ address, port: own }) => address === replica[0] && own === replica[1]),
          1,
        )
        const { status, stderr } = joinServers()
        expect([status, status === 0 ? '' : stderr]).toEqual([0, ''])
        admin.destroy()
        mine.destroy()
      } finally {
        await Promise.all([...programs.values()].map((program) => program.stop()))
      }
    },
    200_000,
  )

  test('keep passwords out of the script, and stop where they are missing', async () => {
    const { script } = renderHostBootstrap({ redis: redisRole })
    const reading = script.slice(
      script.indexOf('secrets=$'),
      script.indexOf('put_file', script.indexOf('secrets=$')),
    )
    const folder = await temporaryFolder()
    const read = () =>
      spawnSync('bash', ['-c', `fail() { echo "$*" >&2; exit 1; }\n${reading}`, 'bootstrap', folder], {
        encoding: 'utf8',
      })
    expect(read()).toMatchObject({ status: 1, stderr: expect.stringContaining('redis-gateway is missing') })
    writeFileSync(join(folder, 'redis-gateway'), 'a')
    expect(read()).toMatchObject({ status: 1, stderr: expect.stringContaining('redis-cluster is missing') })
    writeFileSync(join(folder, 'redis-cluster'), 'b')
    expect(read()).toMatchObject({ status: 0, stderr: '' })
  })

  test('are reached by gateways and by each other alone', () => {
    const ports = renderFirewallRules(4, { redis: redisRole })
      .split('\n')
      .filter((rule) => rule.includes('dport'))
    expect(ports.filter((rule) => rule.includes('--dport 6379 '))).toEqual(
      [11, 12, 21, 22, 23].map((octet) => `-A GATEWAY -s 10.0.0.${octet} -p tcp --dport 6379 -j ACCEPT`),
    )
    expect(ports.filter((rule) => rule.includes('--dport 16380 '))).toEqual(
      [21, 22, 23].map((octet) => `-A GATEWAY -s 10.0.0.${octet} -p tcp --dport 16380 -j ACCEPT`),
    )
    expect(ports).toHaveLength(16)
  })

  test('are named to gateways with a password that stands in a file', () => {
    expect(redisSettings([{ address: 'fd00::1', port: 6379 }])).toBe(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
      "# Made by the deployment.\nredis:\n  cluster: ['[fd00::1]:6379']\n  username: gateway\n  password: ${file:/etc/gateway/redis-password}\ncertificate_store: { kind: redis, encryption_key: '${file:/etc/gateway/certificate-store-key}' }\n",
    )
  })

  test.each<[Partial<RedisRole>, string]>([
    [{ address: 'a; b' }, 'redis: expected an IP address, got "a; b"'],
    [{ ports: [60_000] }, 'redis: expected a port from 1 to 55535, got 60000'],
    [{ maxMemory: 'all' }, 'expected a size such as 256mb, got "all"'],
  ])('are refused: %j', (changes, message) => {
    expect(() => renderHostBootstrap({ redis: { ...redisRole, ...changes } })).toThrow(message)
  })
})
