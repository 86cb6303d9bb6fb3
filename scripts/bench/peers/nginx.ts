import { join } from 'node:path'
import { startNginx } from '../nginx-process.ts'
import type { Peer, PeerSetup } from '../peer.ts'
import { routePrefixes } from '../scenarios.ts'
import { versionOf } from '../tools.ts'

/** nginx, that the others are held against. Bodies are streamed, as the others do, and never go to disk. */
export const nginx: Peer = nginxNamed('nginx')

/** nginx with its proxy_cache: answers from memory of the system, as its files are read from there. */
export const nginxCache: Peer = nginxNamed('nginx-cache')

function nginxNamed(name: string): Peer {
  return {
    name,
    leavesOut: [],
    version: async (tools) => (await versionOf(tools.nginx, '-v')).replace(/^.*nginx\//, ''),
    cannot: () => undefined,
    start: ({ scenario, tools, pin, directory, port, ...setup }) =>
      startNginx({
        name: 'nginx',
        nginx: tools.nginx,
        pin,
        directory,
        port,
        secure: scenario.protocol !== 'http',
        connections: Math.max(4_096, scenario.connections + 1_000),
        http: configuration({ scenario, tools, pin, directory, port, ...setup }),
      }),
  }
}

function configuration({ scenario, directory, port, upstreamPort, certificate }: PeerSetup): string {
  const secure = scenario.protocol !== 'http'
  const listen = [
    `127.0.0.1:${port} reuseport backlog=4096`,
    secure ? ' ssl' : '',
    scenario.protocol === 'h2' ? ' http2' : '',
  ].join('')
  const tls = `
    ssl_certificate ${certificate.certificate};
    ssl_certificate_key ${certificate.key};
    ssl_protocols TLSv1.3;`
  const cache = scenario.cached ? 'proxy_cache answers; proxy_cache_valid 200 1h;' : ''
  const locations = routePrefixes(scenario).map(
    (prefix) => `location ${prefix} { proxy_pass http://service; }`,
  )
  return `
  log_format json escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,'
    '"upstream":"$upstream_addr","upstream_duration":"$upstream_response_time","request_id":"$request_id",'
    '"agent":"$http_user_agent"}';
  access_log ${join(directory, 'access.log')} json buffer=64k flush=1s;
  ${scenario.cached ? `proxy_cache_path ${join(directory, 'cache')} levels=1:2 keys_zone=answers:10m;` : ''}
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 100m;
  limit_req_zone $binary_remote_addr zone=client:10m rate=1000000r/s;
  upstream service {
    server 127.0.0.1:${upstreamPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen ${listen};${secure ? tls : ''}
    limit_req zone=client burst=1000000 nodelay;
    ${cache}
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_set_header Connection '';
    proxy_set_header Host $host;
    proxy_set_header X-Request-Id $request_id;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    add_header X-Request-Id $request_id;
    ${locations.join('\n    ')}
  }`
}
