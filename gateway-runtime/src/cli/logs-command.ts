import { closeSync, existsSync, fstatSync, openSync, readSync, statSync, watchFile } from 'node:fs'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { loadConfiguration } from '../config/index.ts'
import { CliError } from './cli-error.ts'
import { listenForLogs } from './log-listener.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'

type Line = Readonly<Record<string, unknown>>

interface LogsOptions {
  readonly follow?: boolean
  readonly lines: number
  readonly error?: boolean
  readonly route?: string
  readonly status?: RegExp
  readonly search?: string
  readonly listen?: string | true
  readonly host: string
}

const chunk = 65_536
/** How much of the end of a file is looked through for its last lines. */
const mostRead = 67_108_864

function statusPattern(text: string): RegExp {
  if (!/^[1-5](\d\d|xx)$/i.test(text)) throw new InvalidArgumentError('expected a status such as 502, or 5xx')
  return new RegExp(`^${text.toLowerCase().replaceAll('x', '\\d')}$`)
}

function count(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

/** `logs`: the end of the access log or error log, filtered; with --follow, what is written from now on, too. */
export function addLogsCommand(program: Command): void {
  const logs = program
    .command('logs')
    .description('show the access log, a line a request')
    .option('-f, --follow', 'go on with what is written from now on; Ctrl-C ends it')
    .option('-n, --lines <count>', 'how many of the last lines that match', count, 20)
    .option('--error', 'the error log in place of the access log')
    .option('--route <name>', 'only requests of this route')
    .option('--status <status>', 'only answers with this status, such as 502 or 5xx', statusPattern)
    .option(
      '--listen [port]',
      'show what gateways send here by logs.export, in place of a file (default: 9542)',
    )
    .option('--host <address>', 'with --listen, the address to listen on', '127.0.0.1')
    .option('--search <text>', 'only lines that hold this text')
  addGlobalOptions(logs).action(async () => {
    const { configFolder, json } = settingsOf(logs)
    const options = logs.opts<LogsOptions>()
    if (options.listen !== undefined) {
      const port = options.listen === true ? 9_542 : count(options.listen)
      return listenForLogs(options.host, port, (line) => {
        if (matches(line, options)) process.stdout.write(`${json ? line : received(line)}\n`)
      })
    }
    const { directory } = loadConfiguration(configFolder).configuration.logs
    const path = join(directory, options.error ? 'error.log' : 'access.log')
    if (!existsSync(path)) throw new CliError(`there is no ${path} yet; the gateway makes it when it starts`)
    const show = (line: string) => {
      if (matches(line, options)) process.stdout.write(`${json || options.error ? line : readable(line)}\n`)
    }
    const size = statSync(path).size
    const last = linesAt(path, Math.max(0, size - mostRead), size).filter((line) => matches(line, options))
    for (const line of options.lines === 0 ? [] : last.slice(-options.lines)) show(line)
    if (options.follow) await follow(path, size, show)
  })
}

function matches(line: string, { error, route, status, search }: LogsOptions): boolean {
  if (search !== undefined && !line.includes(search)) return false
  if (error || (route === undefined && status === undefined)) return true
  const entry = parsed(line)
  return (route === undefined || entry.route === route) && (!status || status.test(String(entry.status)))
}

function parsed(line: string): Line {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

/** A line of either log, as an export has it. */
function received(line: string): string {
  const { log, time, level, event, host, ...fields } = parsed(line)
  if (log !== 'error') return `${String(host ?? '-')} ${readable(line)}`
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`)
  return [host, time, level, event, ...rest].join(' ')
}

/** The fields that people look for first; all of them are there with --json. */
function readable(line: string): string {
  const entry = parsed(line)
  const text = (key: string) => String(entry[key] ?? '-')
  const what = [
    text('time'),
    text('client') === '-' ? text('client_address') : text('client'),
    text('status'),
  ]
  return [...what, text('method'), text('path'), `route=${text('route')}`].join(' ')
}

function linesAt(path: string, start: number, end: number): string[] {
  const descriptor = openSync(path, 'r')
  try {
    const parts: Buffer[] = []
    for (let position = start; position < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunk, end - position))
      const length = readSync(descriptor, buffer, 0, buffer.length, position)
      if (length === 0) break
      parts.push(buffer.subarray(0, length))
      position += length
    }
    const lines = Buffer.concat(parts).toString('utf8').split('\n')
    // The first one may have begun before, the last one may not be whole yet.
    return lines.slice(start > 0 ? 1 : 0, -1)
  } finally {
    closeSync(descriptor)
  }
}

/** Until the process is ended; goes on in a new file where the log was rotated. */
function follow(path: string, from: number, show: (line: string) => void): Promise<never> {
  let descriptor = openSync(path, 'r')
  let position = from
  let rest = ''
  const read = () => {
    const buffer = Buffer.allocUnsafe(chunk)
    for (;;) {
      const length = readSync(descriptor, buffer, 0, chunk, position)
      if (length === 0) return
      position += length
      const lines = (rest + buffer.toString('utf8', 0, length)).split('\n')
      rest = lines.pop()!
      for (const line of lines) show(line)
    }
  }
  return new Promise(() => {
    watchFile(path, { interval: 250 }, (now) => {
      read()
      const isReplaced = now.ino !== 0 && now.ino !== fstatSync(descriptor).ino
      if (!isReplaced && now.size >= position) return
      closeSync(descriptor)
      descriptor = openSync(path, 'r')
      position = 0
      rest = ''
      read()
    })
  })
}
