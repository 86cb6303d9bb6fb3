import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'
import { makePackages } from '../package/make-packages.ts'
import { repositoryOf } from './environment.ts'
import type { LabRecord } from './record.ts'

/** The apt repository of a lab, served over HTTP to its hosts. */
export interface Repository {
  /** Its public key, ASCII-armoured. */
  signingKey(): Promise<string>
  /** Makes the packages of this checkout under a version, in place of those of another; resolves at once where they are there. */
  publish(version: string): Promise<void>
  close(): Promise<void>
}

/** Serves a folder of this machine; what is in it from an earlier run is served again. */
export async function serveRepository(lab: LabRecord): Promise<Repository> {
  const folder = join(lab.folder, 'packages')
  const { address, port } = repositoryOf(lab)
  const server = createServer(async ({ url = '/' }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://x').pathname))
    const content = await readFile(join(folder, 'apt', path)).catch(() => undefined)
    response.writeHead(content ? 200 : 404).end(content)
  })
  server.listen(port, address)
  await once(server, 'listening')
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const fileOf = (version: string) =>
    join(folder, 'apt/pool/main/g/gateway-runtime', `gateway-runtime_${version}_${architecture}.deb`)
  return {
    async publish(version) {
      const isThere = await stat(fileOf(version)).then(
        () => true,
        () => false,
      )
      if (isThere) return
      await makePackages({
        folder,
        version,
        time: Math.floor(Date.now() / 1_000),
        repositoryUrl: `http://${address}:${port}`,
        keyFile: join(lab.folder, 'archive-signing-key.asc'),
        only: architecture,
      })
    },
    signingKey: () => readFile(join(folder, 'apt/gateway-archive-keyring.asc'), 'utf8'),
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
