import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  type EdgeRole,
  type HostDescription,
  renderHostBootstrap,
} from '../../../constructs/host-bootstrap/index.ts'
import { renderFirewallRules } from '../../../constructs/host-bootstrap/iptables.ts'
import { startProgram } from '../../../scripts/process/program.ts'
import { eventually } from '../../support/eventually.ts'
import { freePorts } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { programForTests } from '../../support/test-program.ts'
import { edgeRole } from './roles.ts'

const temporaryFolder = temporaryFolders()
const haproxy = await programForTests('haproxy')
const keepalived = await programForTests('keepalived')
const contentOf = (path: string, edge: EdgeRole = edgeRole) =>
  renderHostBootstrap({ edge }).files.find((file) => file.path === path)!.content
const rules = (host: HostDescription, family: 4 | 6 = 4) => renderFirewallRules(family, host).split('\n')

describe('an edge', () => {
  haproxy.test('has a configuration that HAProxy takes', async () => {
    const file = join(await temporaryFolder(), 'haproxy.cfg')
    writeFileSync(file, contentOf('/etc/haproxy/haproxy.cfg'))
    expect(await haproxy.run(['-c', '-f', file])).toMatchObject({ code: 0 })
  })

  const device = Object.keys(networkInterfaces()).find((name) => name !== 'lo')
  const keepalivedTest = device ? keepalived.test : test.skip
  keepalivedTest(
    `has a configuration that keepalived takes${device ? '' : ' (skipped: no interface but loopback)'}`,
    async () => {
      const folder = await temporaryFolder()
      const file = join(folder, 'keepalived.conf')
      const complaints = async (text: string) => {
        writeFileSync(file, text)
        return (await keepalived.run(['--config-test', '--use-file', file])).stderr
      }
      const configuration = contentOf('/etc/keepalived/keepalived.conf')
        .replaceAll('/etc/keepalived', folder)
        .replace('/usr/local/lib/gateway/edge-health', '/bin/true')
      writeFileSync(join(folder, 'interface.conf'), `$INTERFACE=${device}\n`)
      expect(await complaints(configuration)).toBe('')
      expect(await complaints(configuration.replace('advert_int', 'advert'))).toContain("keyword 'advert'")
    },
  )

  test('gives up an address to the others by advert, unicast, and never takes it back at once', () => {
    const content = contentOf('/etc/keepalived/keepalived.conf')
    expect(content.match(/^ {2}state .*$/gm)).toEqual(['  state BACKUP', '  state BACKUP'])
    expect(content.match(/^ {2}priority \d+/gm)).toEqual(['  priority 200', '  priority 190'])
    expect(content).toMatch(/unicast_src_ip 10\.0\.0\.1\n {2}unicast_peer \{\n {4}10\.0\.0\.2\n {2}\}/)
    expect(content).toContain('preempt_delay 30')
    expect(content.match(/fd00::100/g)).toHaveLength(1)
  })

  haproxy.test(
    'leads clients to gateways that are ready, with their address, and tells keepalived',
    async () => {
      const [ingress, health, status] = (await freePorts(3)) as [number, number, number]
      const gateways = [await startNode('127.0.0.31', status), await startNode('127.0.0.32', status)]
      const port = gateways[0]!.port
      const edge = {
        ...edgeRole,
        address: '127.0.0.1',
        peers: ['127.0.0.2'],
        virtualIps: [{ address: '127.0.0.9', priority: 200 }],
        gateways: gateways.map(({ address }, index) => ({ name: `gateway-${index}`, address })),
        ports: [{ port: ingress, gatewayPort: port }],
      }
      const configuration = contentOf('/etc/haproxy/haproxy.cfg', edge)
        .replace(/^ {2}(chroot|user|group|log \/dev).*\n/gm, '')
        .replace(/^ {2}bind \[::\].*\n/gm, '')
        .replace(':8404', `:${health}`)
        .replaceAll(`127.0.0.32:${port}`, `127.0.0.32:${gateways[1]!.port}`)
        .replaceAll('port 9090', `port ${status}`)
      const file = join(await temporaryFolder(), 'haproxy.cfg')
      writeFileSync(file, configuration)
      const program = await startProgram({ name: 'haproxy', command: [haproxy.path, '-db', '-f', file] })
      try {
        const isHealthy = async () =>
          (await fetch(`http://127.0.0.1:${health}/`).catch(() => undefined))?.status === 200
        await eventually('a healthy balancer', isHealthy, 20_000)
        expect(await helloOf(ingress)).toMatch(/^\r\n\r\n\0\r\nQUIT\n!/) // PROXY protocol version 2
        gateways[0]!.ready = false
        await eventually(
          'the other one alone',
          async () => {
            const answers = await Promise.all([1, 2, 3, 4].map(() => helloOf(ingress)))
            return answers.every((answer) => answer.endsWith('127.0.0.32'))
          },
          20_000,
        )
        gateways[1]!.ready = false
        await eventually('the balancer to say that it is alone', async () => !(await isHealthy()), 20_000)
      } finally {
        await program.stop()
        for (const gateway of gateways) gateway.stop()
      }
    },
    90_000,
  )
})

describe('the firewall', () => {
  test('of an edge lets clients in, and VRRP from the other edges', () => {
    const ofEdge = rules({ edge: edgeRole, managementNetworks: ['10.1.0.0/16'] })
    expect(ofEdge).toContain('-A GATEWAY -s 10.0.0.2 -p 112 -j ACCEPT')
    expect(ofEdge.filter((rule) => rule.includes('--dport '))).toEqual([
      '-A GATEWAY -p tcp --dport 80 -j ACCEPT',
      '-A GATEWAY -p tcp --dport 443 -j ACCEPT',
      '-A GATEWAY -s 10.1.0.0/16 -p tcp --dport 22 -j ACCEPT',
    ])
    expect(rules({ edge: edgeRole }, 6).filter((rule) => rule.includes('112'))).toEqual([])
  })

  test('of a gateway behind edges lets them alone reach listeners and health', () => {
    const ports = rules({
      configuration: { 'config.yaml': '' },
      ingressPorts: [8443],
      edges: ['10.0.0.1', '10.0.0.2'],
      monitoringNetworks: ['10.2.0.0/16'],
    }).filter((rule) => rule.includes('dport'))
    expect(ports).toEqual([
      '-A GATEWAY -s 10.0.0.1 -p tcp --dport 8443 -j ACCEPT',
      '-A GATEWAY -s 10.0.0.2 -p tcp --dport 8443 -j ACCEPT',
      '-A GATEWAY -s 10.0.0.1 -p tcp --dport 9090 -j ACCEPT',
      '-A GATEWAY -s 10.0.0.2 -p tcp --dport 9090 -j ACCEPT',
      '-A GATEWAY -s 10.2.0.0/16 -p tcp --dport 9090 -j ACCEPT',
    ])
  })
})

describe('a role that cannot be', () => {
  test.each<[Partial<EdgeRole>, string]>([
    [{ virtualIps: [] }, 'edge.virtualIps: expected 1 to 16'],
    [{ gateways: [] }, 'edge.gateways: expected at least one, got none'],
    [{ address: 'fd00::1' }, 'expected IP addresses of one family, got "10.0.0.2"'],
    [{ peers: ['10.0.0.2\n}'] }, 'expected IP addresses of one family'],
    [{ gateways: [{ name: 'a b', address: '10.0.0.3' }] }, 'expected lower-case letters, digits and "-"'],
    [{ virtualIps: [{ address: '10.0.0.9', priority: 255 }] }, 'expected a priority from 1 to 254, got 255'],
    [
      { virtualIps: [{ address: '10.0.0.9', ipv6: '10.0.0.8', priority: 1 }] },
      'expected an IPv6 address beside an IPv4 one',
    ],
  ])('is refused: %j', (changes, message) => {
    expect(() => renderHostBootstrap({ edge: { ...edgeRole, ...changes } })).toThrow(message)
  })
})

interface Node {
  readonly address: string
  readonly port: number
  ready: boolean
  stop(): void
}

/** A gateway as the balancer sees it: readiness, and a listener that answers with what it was sent and its address. */
async function startNode(address: string, statusPort: number): Promise<Node> {
  const status: Server = createServer((_, response) => response.writeHead(node.ready ? 200 : 503).end())
  status.listen(statusPort, address)
  const listener: TcpServer = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => socket.end(`${data.toString('latin1')}${address}`, 'latin1'))
  })
  listener.listen(0, address)
  await Promise.all([once(status, 'listening'), once(listener, 'listening')])
  const { port } = listener.address() as { port: number }
  const stop = () => {
    status.close().closeAllConnections()
    listener.close()
  }
  const node: Node = { address, port, ready: true, stop }
  return node
}

/** All that comes back when a client says hello. */
async function helloOf(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part) => {
    text += part
  })
  socket.on('error', () => {})
  socket.write('hello')
  await once(socket, 'close')
  return text
}
