import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProgram } from '../../scripts/process/program.ts'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'

/** BIND with one zone, example.com, that takes updates signed with a key. */
export interface Bind {
  /** `127.0.0.1:PORT` */
  readonly server: string
  readonly zone: string
  readonly key: { readonly name: string; readonly secret: string }
  readonly resolver: Resolver
  stop(): Promise<void>
}

/** @param records - more lines of the zone file */
export async function startBind(program: string, records: readonly string[] = []): Promise<Bind> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bind-'))
  const port = await freePort()
  const key = { name: 'gateway-key', secret: randomBytes(32).toString('base64') }
  const zone = [
    '$TTL 5',
    '@ IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 1',
    '@ IN NS ns.example.com.',
    'ns IN A 127.0.0.1',
    ...records,
  ]
  await writeFile(join(folder, 'example.com.zone'), `${zone.join('\n')}\n`)
  const configuration = `
    options {
      directory "${folder}"; pid-file "${folder}/pid"; session-keyfile "${folder}/session.key";
      listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
      recursion no; dnssec-validation no; notify no;
    };
    controls { };
    key "${key.name}" { algorithm hmac-sha256; secret "${key.secret}"; };
    zone "example.com" {
      type primary; file "example.com.zone";
      update-policy { grant ${key.name} subdomain example.com. TXT; };
    };`
  await writeFile(join(folder, 'named.conf'), configuration)
  const named = await startProgram({
    name: 'named',
    command: [program, '-g', '-c', join(folder, 'named.conf'), '-p', String(port), '-n', '1'],
  })
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  const stop = async () => {
    await named.stop()
    await rm(folder, { recursive: true, force: true })
  }
  await eventually(
    'named answers',
    () => resolver.resolve4('ns.example.com').catch(() => undefined),
    15_000,
  ).catch(async (error) => {
    await stop()
    throw new Error(`${error.message}: ${named.output()}`)
  })
  return { server: `127.0.0.1:${port}`, zone: 'example.com', key, resolver, stop }
}
