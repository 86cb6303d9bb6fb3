import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../process/free-port.ts'
import { type Program, startProgram } from '../../process/program.ts'
import { answers } from '../peer.ts'
import type { CorpusRequest } from './corpus-request.ts'
import { RawClient } from './raw-client.ts'

export interface ModSecurityOptions {
  readonly nginx: string
  /** The module of the distribution's libnginx-mod-http-modsecurity. */
  readonly module: string
  readonly directory: string
  /** `off`: nginx alone; `block`: as it is deployed; `audit`: only reports, and writes which rules matched. */
  readonly mode: 'off' | 'block' | 'audit'
}

/** An nginx with ModSecurity and the distribution's Core Rule Set at paranoia level 1. */
export class ModSecurity {
  readonly #program: Program
  readonly #port: number
  readonly #auditLog: string

  private constructor(program: Program, port: number, auditLog: string) {
    this.#program = program
    this.#port = port
    this.#auditLog = auditLog
  }

  static async start({ nginx, module, directory, mode }: ModSecurityOptions): Promise<ModSecurity> {
    await mkdir(directory, { recursive: true })
    const [port, upstream] = [await freePort(), await freePort()]
    const auditLog = join(directory, 'audit.log')
    const rules = join(directory, 'modsecurity.conf')
    await writeFile(rules, rulesFile(mode, auditLog))
    const file = join(directory, 'nginx.conf')
    await writeFile(file, nginxFile(directory, module, mode === 'off' ? undefined : rules, port, upstream))
    const command = [nginx, '-p', directory, '-c', file, '-e', join(directory, 'error.log')] as const
    const program = await startProgram({ name: `nginx with ModSecurity (${mode})`, command })
    await answers(program, { port, secure: false, limit: 60_000 })
    return new ModSecurity(program, port, auditLog)
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Sends requests one after another; their statuses. */
  async sendAll(requests: readonly CorpusRequest[]): Promise<number[]> {
    const client = new RawClient(this.#port)
    const statuses: number[] = []
    for (const [index, request] of requests.entries()) statuses.push(await client.send(request, index))
    client.close()
    return statuses
  }

  /** For each request sent with mode `audit` the ids of the rules that matched, by its index. */
  async matchedRules(): Promise<Map<number, Set<number>>> {
    const found = new Map<number, Set<number>>()
    for (const line of (await readFile(this.#auditLog, 'utf8')).split('\n')) {
      if (line === '') continue
      const { transaction } = JSON.parse(line) as AuditLine
      const index = Number(transaction.request.headers['X-Case'])
      found.set(index, new Set(transaction.messages.map(({ details }) => Number(details.ruleId))))
    }
    return found
  }

  async stop(): Promise<void> {
    await this.#program.stop()
  }
}

interface AuditLine {
  readonly transaction: {
    readonly request: { readonly headers: Readonly<Record<string, string>> }
    readonly messages: readonly { readonly details: { readonly ruleId: string } }[]
  }
}

/** The distribution's own settings, save its logs; answers are looked at by neither side. */
const rulesFile = (mode: ModSecurityOptions['mode'], auditLog: string) => `
Include /etc/nginx/modsecurity.conf
SecRuleEngine ${mode === 'audit' ? 'DetectionOnly' : 'On'}
SecResponseBodyAccess Off
SecAuditEngine ${mode === 'audit' ? 'On' : 'Off'}
SecAuditLogFormat JSON
SecAuditLogParts ABHZ
SecAuditLog ${auditLog}
Include /etc/modsecurity/crs/crs-setup.conf
Include /usr/share/modsecurity-crs/rules/*.conf
`

function nginxFile(
  directory: string,
  module: string,
  rules: string | undefined,
  port: number,
  upstream: number,
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(directory, kind)};`)
    .join('\n')
  return `
load_module ${module};
user root;
daemon off;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')} crit;
events { worker_connections 512; }
http {
${temporary}
  access_log off;
  keepalive_requests 1000000;
  large_client_header_buffers 8 64k;
  upstream service { server 127.0.0.1:${upstream}; keepalive 4; }
  server {
    listen 127.0.0.1:${port};
    ${rules === undefined ? '' : `modsecurity on; modsecurity_rules_file ${rules};`}
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
  server { listen 127.0.0.1:${upstream}; keepalive_requests 1000000; location / { return 204; } }
}
`
}
