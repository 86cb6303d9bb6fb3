import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makePackages } from '../../scripts/package/make-packages.ts'
import { eventually } from '../support/eventually.ts'
import { bootHost, type LabHost, whyNoHosts } from './host.ts'

const reason = await whyNoHosts()
const onHost = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 180_000)

const time = 1_700_000_000
let host: LabHost
let folder: string
let repository: Server
let url: string
let upstream: Server
let upstreamUrl: string

const listen = async (server: Server, address: string) => {
  server.listen(0, address)
  await once(server, 'listening')
  return `http://${address}:${(server.address() as AddressInfo).port}`
}

const publish = (version: string) =>
  makePackages({
    folder: join(folder, 'packages'),
    version,
    time,
    repositoryUrl: url,
    keyFile: join(folder, 'key.asc'),
    only: process.arch === 'arm64' ? 'arm64' : 'amd64',
  })

const expectDone = async (script: string) => {
  const { code, output } = await host.sh(script)
  expect([code, code === 0 ? '' : output]).toEqual([0, ''])
  return output
}

const statusOf = (path: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    get(`http://${host.address}${path}`, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    }).on('error', reject)
  })

/** Asks until it is told to stop, each request on a connection of its own. */
function load(target: string, clients: number) {
  const failures: string[] = []
  let answered = 0
  let going = true
  const ask = () =>
    new Promise<void>((resolve) => {
      const onAnswer = (answer: IncomingMessage) => {
        if (answer.statusCode !== 200) failures.push(`status ${answer.statusCode}`)
        answer.resume().on('end', () => {
          answered++
          resolve()
        })
      }
      const onError = (error: Error) => {
        failures.push(error.message)
        resolve()
      }
      get(target, { agent: false }, onAnswer).on('error', onError)
    })
  const running = Array.from({ length: clients }, async () => {
    while (going) await ask()
  })
  return {
    async stop() {
      going = false
      await Promise.all(running)
      return { failures, answered }
    },
  }
}

beforeAll(async () => {
  if (reason) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-lab-'))
  host = await bootHost()
  repository = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname
    const content = await readFile(join(folder, 'packages/apt', path)).catch(() => undefined)
    response.writeHead(content ? 200 : 404).end(content)
  })
  url = await listen(repository, host.neighbour)
  upstream = createServer((_request, response) => response.end('hello'))
  upstreamUrl = await listen(upstream, host.neighbour)
  await publish('1.0.0')
}, 300_000)

afterAll(async () => {
  repository?.close()
  upstream?.closeAllConnections()
  upstream?.close()
  await host?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
}, 60_000)

// One host from bare to purged: each test goes on where the one before ended.
describe('a Debian host', () => {
  onHost('gets the repository and the gateway with apt-get', async () => {
    const key = await readFile(join(folder, 'packages/apt/gateway-archive-keyring.gpg'))
    await writeFile(join(host.root, 'etc/apt/trusted.gpg.d/first.gpg'), key)
    await expectDone(`rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb ${url} stable main' >/etc/apt/sources.list
apt-get update && apt-get install -y gateway-package-repo`)
    await expectDone(`rm /etc/apt/sources.list /etc/apt/trusted.gpg.d/first.gpg
apt-get update && apt-get install -y --no-install-recommends gateway-runtime`)
  })

  onHost('runs the service, hardened, with the kernel settings', async () => {
    expect(await expectDone('systemctl status gateway-service')).toContain('active (running)')
    expect(await expectDone('sysctl -n net.core.somaxconn net.ipv4.tcp_migrate_req')).toBe('4096\n1\n')
    const exposure = /exposure level for .*: ([\d.]+)/.exec(
      await expectDone('systemd-analyze security gateway-service'),
    )
    expect(Number(exposure?.[1])).toBeLessThanOrEqual(2)
    expect(await expectDone('systemctl show -p Type -p WatchdogUSec gateway-service')).toBe(
      'Type=notify\nWatchdogUSec=30s\n',
    )
  })

  onHost('follows the walkthrough: key, service, route with pasted dashes, rate limit', async () => {
    await expectDone(`openssl req -new -newkey rsa:4096 -nodes -keyout /etc/ssl/gateway.key -out /etc/ssl/gateway.csr -subj /CN=lab 2>/dev/null
chmod 600 /etc/ssl/gateway.key
cat >/etc/gateway/services.yaml <<'SERVICES'
services:
  - { name: orders, url: '${upstreamUrl}', retries: 3, connect_timeout: 5000ms }
SERVICES
for i in $(seq 100); do gateway-cli services list | grep -q orders && break; sleep 0.1; done
gateway-cli routes add –name service-alpha –paths /v1/api
gateway-cli plugins add rate-limiting –config “limit=100000, period=second”`)
    expect(await statusOf('/v1/api')).toBe(200)
    expect(await statusOf('/other')).toBe(404)
    await eventually('a line in access.log', async () =>
      (await host.sh('cat /var/log/gateway/access.log')).output.includes('/v1/api'),
    )
  })

  onHost('is upgraded under load without a failed request, and keeps its configuration', async () => {
    const state = 'systemctl show -p MainPID --value gateway-service; cat /etc/gateway/*.yaml'
    const [oldPid, ...oldFiles] = (await expectDone(state)).split('\n')
    await publish('1.1.0')
    // As if the version that runs had a part that the next one has not, and had left one of the version before it.
    await expectDone(`cd /usr/lib/gateway; touch part-RUNNING1.mjs part-EARLIER1.mjs
echo /usr/lib/gateway/part-RUNNING1.mjs >>/var/lib/dpkg/info/gateway-runtime.list`)
    const clients = load(`http://${host.address}/v1/api`, 4)
    await expectDone('apt-get update && apt-get install -y gateway-runtime')
    const { failures, answered } = await clients.stop()
    expect(failures).toEqual([])
    process.stdout.write(`  upgraded under load: ${answered} requests, 0 failed\n`)
    expect(answered).toBeGreaterThan(50)
    expect(await expectDone('dpkg-query --status gateway-runtime')).toContain('Version: 1.1.0\n')
    const [newPid, ...newFiles] = (await expectDone(state)).split('\n')
    expect(newFiles).toEqual(oldFiles)
    expect(newPid).not.toBe(oldPid)
    expect(await expectDone('systemctl is-active gateway-service')).toBe('active\n')
    expect(await expectDone('cd /usr/lib/gateway; ls | grep -e RUNNING1 -e EARLIER1 -e before')).toBe(
      'part-RUNNING1.mjs\n',
    )
  })

  onHost('goes on with the process that runs where a new one does not become ready', async () => {
    const pid = 'systemctl show -p MainPID --value gateway-service'
    const before = await expectDone(pid)
    await expectDone(`cp -p /etc/gateway/config.yaml /root/
echo 'logs: { directory: /dev/null/logs }' >>/etc/gateway/config.yaml`)
    const clients = load(`http://${host.address}/v1/api`, 2)
    expect((await host.sh('/usr/lib/gateway/take-over')).code).toBe(1)
    const { failures, answered } = await clients.stop()
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(50)
    expect(await expectDone(pid)).toBe(before)
    expect(await expectDone('cat /var/log/gateway/error.log')).toContain('did not take over')
    await expectDone('cp -p /root/config.yaml /etc/gateway/; rm /root/config.yaml')
  })

  onHost('starts the service again when it hangs', async () => {
    const script = `systemctl kill --kill-whom=main --signal=STOP gateway-service
restarts() { systemctl show -p NRestarts --value gateway-service; }
for i in $(seq 450); do [ "$(restarts)" -gt 0 ] && break; sleep 0.2; done
restarts`
    expect(await expectDone(script)).toBe('1\n')
  })

  onHost('stops when the package is removed, which keeps configuration and logs', async () => {
    const kept = 'cat /etc/gateway/*.yaml; ls /var/log/gateway/access.log /var/lib/gateway'
    const before = await expectDone(kept)
    await expectDone('apt-get remove -y gateway-runtime')
    expect((await host.sh('systemctl is-active gateway-service; pgrep -u gateway')).output).toBe('inactive\n')
    await expect(statusOf('/v1/api')).rejects.toThrow('ECONNREFUSED')
    expect(await expectDone(kept)).toBe(before)
    await expectDone('apt-get install -y --no-install-recommends gateway-runtime')
    await eventually('an answer', async () => (await statusOf('/v1/api').catch(() => 0)) === 200, 20_000)
  })

  onHost('has nothing left after a purge', async () => {
    await expectDone('apt-get purge -y gateway-runtime gateway-package-repo')
    const left = `ls -d /etc/gateway /usr/lib/gateway /usr/bin/gateway* /var/lib/gateway /var/log/gateway /var/cache/gateway \\
  /etc/logrotate.d/gateway* /etc/apt/sources.list.d/* /usr/lib/*/gateway* /etc/systemd/system/*/gateway* 2>/dev/null
getent passwd gateway; systemctl is-active gateway-service`
    expect((await host.sh(left)).output).toBe('inactive\n')
  })
})
