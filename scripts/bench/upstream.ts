import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Program } from '../process/program.ts'
import { startNginx } from './nginx-process.ts'
import type { Pin } from './peer.ts'
import type { Scenario } from './scenarios.ts'

interface UpstreamOptions {
  readonly nginx: string
  readonly pin: Pin
  readonly directory: string
  readonly port: number
  readonly scenario: Scenario
}

/**
 * The service behind all proxies: the cheapest there is, so that it takes little of the core of the load.
 * It answers any path with a small JSON text, /files/BYTES with a file, and /upload when it has read the whole body.
 */
export async function startUpstream({ scenario, ...options }: UpstreamOptions): Promise<Program> {
  const { directory, port } = options
  await mkdir(join(directory, 'files'), { recursive: true })
  const { answerBytes } = scenario
  if (answerBytes)
    await writeFile(join(directory, 'files', String(answerBytes)), Buffer.alloc(answerBytes, 'x'))
  // `return` answers before a body was read. `mirror` reads it first; then no file is found,
  // and error_page makes that the answer.
  return startNginx({
    ...options,
    name: 'upstream',
    secure: false,
    connections: 4_096,
    http: `
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  client_max_body_size 100m;
  client_body_buffer_size 2m;
  server {
    listen 127.0.0.1:${port} reuseport;
    default_type application/json;
    location / { return 200 '{"id":17,"state":"shipped","items":[{"sku":"A-1","count":2}]}'; }
    location /files/ { root ${directory}; }
    location = /upload { mirror /read; log_not_found off; error_page 404 =200 /orders/17; }
    location = /read { internal; return 204; }
  }`,
  })
}
