import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Program, startProgram } from '../process/program.ts'

interface NginxOptions {
  readonly nginx: string
  readonly pin: readonly [file: string, ...args: string[]]
  /** Its own folder: configuration, logs, temporary files. */
  readonly directory: string
  readonly port: number
}

/** The service behind both proxies: the cheapest there is, so that it takes little of the core of the load. */
export const startUpstreamNginx = (options: NginxOptions) =>
  start(
    'upstream',
    options,
    `
  access_log off;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${options.port} reuseport;
    default_type application/json;
    location / { return 200 '{"id":17,"state":"shipped","items":[{"sku":"A-1","count":2}]}'; }
  }`,
  )

/**
 * nginx with the same work as the gateway: kept connections on both sides, a request id that the upstream sees,
 * X-Forwarded-For, a rate limit an address that rejects nothing, an access log in JSON.
 */
export const startProxyNginx = (options: NginxOptions & { readonly upstreamPort: number }) =>
  start(
    'nginx',
    options,
    `
  log_format json escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,'
    '"upstream":"$upstream_addr","upstream_duration":"$upstream_response_time","request_id":"$request_id",'
    '"agent":"$http_user_agent"}';
  access_log ${join(options.directory, 'access.log')} json buffer=64k flush=1s;
  keepalive_requests 1000000000;
  limit_req_zone $binary_remote_addr zone=client:10m rate=1000000r/s;
  upstream service {
    server 127.0.0.1:${options.upstreamPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${options.port} reuseport;
    location / {
      limit_req zone=client burst=1000000 nodelay;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_set_header Host $host;
      proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      add_header X-Request-Id $request_id;
      proxy_pass http://service;
    }
  }`,
  )

async function start(name: string, options: NginxOptions, http: string): Promise<Program> {
  const { directory, nginx, port } = options
  await mkdir(directory, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(directory, kind)};`)
    .join('\n')
  const configuration = `
daemon off;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')} warn;
events { worker_connections 4096; }
http {
${temporary}${http}
}
`
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration)
  const [pin, ...args] = options.pin
  const program = await startProgram({
    name,
    command: [pin, ...args, nginx, '-p', directory, '-c', file, '-e', join(directory, 'error.log')],
  })
  await answers(program, port)
  return program
}

async function answers(program: Program, port: number): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!program.hasExited && performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response) return
    await sleep(20)
  }
  await program.stop()
  throw new Error(`${program.name} does not answer on port ${port}; it wrote:\n${program.output()}`)
}
