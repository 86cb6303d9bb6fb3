import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Program, startProgram } from '../process/program.ts'
import { answers, type Pin } from './peer.ts'

export interface NginxOptions {
  readonly name: string
  readonly nginx: string
  readonly pin: Pin
  /** Its own folder: configuration, logs, temporary files. */
  readonly directory: string
  readonly port: number
  readonly secure: boolean
  /** Connections on both sides. */
  readonly connections: number
  /** Content of the http block. */
  readonly http: string
}

/** Starts an nginx of one worker and waits until it answers. */
export async function startNginx(options: NginxOptions): Promise<Program> {
  const { name, nginx, directory, port, secure } = options
  await mkdir(directory, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(directory, kind)};`)
    .join('\n')
  const configuration = `
daemon off;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'error.log')} warn;
events { worker_connections ${options.connections}; }
http {
${temporary}
${options.http}
}
`
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration)
  const [pin, ...args] = options.pin
  const command = [...args, nginx, '-p', directory, '-c', file, '-e', join(directory, 'error.log')]
  const program = await startProgram({ name, command: [pin, ...command] })
  return answers(program, { port, secure, limit: 60_000 })
}
