import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch as fetchBy } from 'undici'
import { type Program, startProgram } from '../../scripts/process/program.ts'
import { newAuthority, writeIssued } from './certificates.ts'
import { eventually } from './eventually.ts'
import { freePort, freePorts } from './ports.ts'

export interface PebbleOptions {
  /** IP address that it listens on, for nodes elsewhere, which reach it by that; loopback, by the name localhost. */
  readonly host?: string
  /** IPv4 address that its DNS server gives every name; 127.0.0.1. */
  readonly address?: string
  /** Where it asks for HTTP-01 and TLS-ALPN-01 challenges, in place of 80 and 443; free ports. */
  readonly httpPort?: number
  readonly tlsPort?: number
  /** `host:port` of the DNS server that it asks, in place of one that knows every name as 127.0.0.1. */
  readonly dnsServer?: string
  /** Key id and base64url key that accounts must be bound to (external account binding). */
  readonly externalAccount?: readonly [id: string, key: string]
}

/** An ACME authority that knows every name as 127.0.0.1 and, as it does by default, refuses every 20th nonce. */
export interface Pebble {
  /** URL of its directory. */
  readonly directory: string
  /** Path of a PEM file that its own server is checked by. */
  readonly ca: string
  /** Paths of the certificate and key of its own server, for localhost and the address that it listens on. */
  readonly tls: { readonly certificate: string; readonly key: string }
  /** The certificate that it signs with, in PEM. */
  root(): Promise<string>
  /** How many orders it has taken. */
  orders(): number
  /** How many accounts it has made. */
  accounts(): number
  /** May be called again. */
  stop(): Promise<void>
}

/** Starts one with a DNS server of its own; both must be installed (package pebble). */
export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const [port, management, dns, dnsManagement] = (await freePorts(4)) as [number, number, number, number]
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-pebble-'))
  const authority = await newAuthority()
  const ca = join(folder, 'ca.crt')
  await writeFile(ca, authority.certificate)
  const { host = '127.0.0.1', address = '127.0.0.1' } = options
  const name = options.host ?? 'localhost'
  const files = await writeIssued(folder, 'pebble', await authority.issue({ dns: ['localhost'], ip: [host] }))
  const settings = {
    listenAddress: `${host}:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: files.certificate,
    privateKey: files.key,
    httpPort: options.httpPort ?? (await freePort()),
    tlsPort: options.tlsPort ?? (await freePort()),
    externalAccountBindingRequired: options.externalAccount !== undefined,
    ...(options.externalAccount && {
      externalAccountMACKeys: Object.fromEntries([options.externalAccount]),
    }),
  }
  const config = join(folder, 'pebble.json')
  await writeFile(config, JSON.stringify({ pebble: settings }))
  const dnsServer = await startProgram({
    name: 'pebble-challtestsrv',
    command: dnsCommand(dns, dnsManagement, address),
  })
  const pebble = await startProgram({
    name: 'pebble',
    command: ['pebble', '-config', config, '-dnsserver', options.dnsServer ?? `127.0.0.1:${dns}`],
    env: { PEBBLE_VA_NOSLEEP: '1' },
  })
  const dispatcher = new Agent({ connect: { ca: authority.certificate } })
  const get = async (url: string) => (await fetchBy(url, { dispatcher })).text()
  let isOpen = true
  const stop = async () => {
    if (!isOpen) return
    isOpen = false
    await Promise.all([pebble, dnsServer].map((program: Program) => program.stop()))
    await dispatcher.close()
    await rm(folder, { recursive: true, force: true })
  }
  const directory = `https://${name}:${port}/dir`
  await eventually('pebble answers', () => get(directory).catch(() => undefined), 15_000).catch(
    async (error) => {
      await stop()
      throw new Error(`${error.message}: ${pebble.output()}`)
    },
  )
  const countOf = (what: RegExp) => Number([...pebble.output().matchAll(what)].at(-1)?.[1] ?? 0)
  return {
    directory,
    ca,
    tls: files,
    stop,
    root: () => get(`https://localhost:${management}/roots/0`),
    orders: () => countOf(/There are now (\d+) orders/g),
    accounts: () => countOf(/There are now (\d+) accounts/g),
  }
}

const dnsCommand = (port: number, management: number, address: string) =>
  [
    'pebble-challtestsrv',
    ...['-dns01', `127.0.0.1:${port}`, '-management', `127.0.0.1:${management}`],
    ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''],
    ...['-defaultIPv4', address],
  ] as const
