import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { LogExport } from '../../config/log-export-schema.ts'
import type { LogSink } from '../../plugins/logging/log-queue.ts'
import { DatagramSink } from '../../plugins/logging/sinks/datagram-sink.ts'
import { OtlpSink } from '../../plugins/logging/sinks/otlp-sink.ts'
import { SocketSink } from '../../plugins/logging/sinks/socket-sink.ts'
import type { ErrorLog } from '../error-log.ts'
import { type ExportState, LogExporter } from './log-exporter.ts'
import { jsonRecord, type LogName, otlpRecord, syslogRecord } from './log-records.ts'
import { type Cursor, LogTail } from './log-tail.ts'

const saveInterval = 1_000

/** The exports of a node: one exporter for each collector and log. How far each is stands in `log-export.json`. */
export class LogExports {
  readonly #logDirectory: string
  readonly #cursorFile: string
  readonly #errorLog: ErrorLog
  readonly #cursors: Map<string, Cursor>
  readonly #exporters = new Map<string, LogExporter>()
  #saving: NodeJS.Timeout | undefined

  constructor(logDirectory: string, stateDirectory: string, errorLog: ErrorLog) {
    this.#logDirectory = logDirectory
    this.#cursorFile = join(stateDirectory, 'log-export.json')
    this.#errorLog = errorLog
    this.#cursors = new Map(Object.entries(readCursors(this.#cursorFile)))
  }

  get states(): readonly ExportState[] {
    return [...this.#exporters.values()].map(({ state }) => state)
  }

  /** Starts what is new, and stops what is no longer wanted. */
  async apply(settings: readonly LogExport[]): Promise<void> {
    const wanted = new Map(
      settings.flatMap((one) => one.logs.map((log) => [JSON.stringify([one, log]), { one, log }] as const)),
    )
    for (const [key, exporter] of this.#exporters) {
      if (wanted.has(key)) continue
      this.#exporters.delete(key)
      await exporter.stop()
    }
    for (const [key, { one, log }] of wanted)
      if (!this.#exporters.has(key)) this.#exporters.set(key, this.#start(one, log))
  }

  async close(): Promise<void> {
    await this.apply([])
    clearTimeout(this.#saving)
    if (this.#cursors.size > 0) this.#save()
  }

  #start(settings: LogExport, log: LogName): LogExporter {
    const target = targetOf(settings)
    const name = `${target} ${log}`
    return new LogExporter({
      settings,
      errorLog: this.#errorLog,
      state: { target, log, sent: 0, lost: 0, backlogBytes: 0, problem: undefined },
      tail: new LogTail(join(this.#logDirectory, `${log}.log`), this.#cursors.get(name)),
      sink: openSink(settings),
      write: writerOf(settings),
      onProgress: (cursor) => {
        this.#cursors.set(name, cursor)
        this.#saving ??= setTimeout(() => this.#save(), saveInterval).unref()
      },
    })
  }

  /** What is not saved is sent twice after a crash, and never lost. */
  #save(): void {
    this.#saving = undefined
    try {
      const text = JSON.stringify(Object.fromEntries(this.#cursors))
      writeFileSync(`${this.#cursorFile}.tmp`, text, { mode: 0o600 })
      renameSync(`${this.#cursorFile}.tmp`, this.#cursorFile)
    } catch (error) {
      this.#errorLog.write('error', 'log export cannot note how far it is', { reason: String(error) })
    }
  }
}

const targetOf = ({ protocol, host, port, url }: LogExport) => url ?? `${protocol}://${host}:${port}`

function writerOf({ protocol, format }: LogExport): (log: LogName, line: string) => string {
  if (protocol === 'otlp') return otlpRecord
  return format === 'syslog' ? syslogRecord : jsonRecord
}

function openSink({ protocol, host, port, url, headers, format, timeout, ca }: LogExport): LogSink {
  if (protocol === 'otlp') {
    const resource = { 'service.name': 'gatehouse', 'host.name': hostname() }
    return new OtlpSink({ url: url!, headers, timeout, compression: 'gzip' }, 'logRecords', resource)
  }
  if (protocol === 'udp') return new DatagramSink({ host: host!, port }, (line) => line)
  const target = {
    host: host!,
    port,
    tls: protocol === 'tls',
    timeout,
    ...(ca !== undefined && { ca: pemText(ca) }),
  }
  // RFC 6587 section 3.4.1 and RFC 5425 section 4.3: each message begins with its length.
  const counted = (line: string) => `${Buffer.byteLength(line)} ${line}`
  return new SocketSink(target, format === 'syslog' ? counted : (line) => `${line}\n`)
}

const pemText = (setting: string) =>
  setting.includes('-----BEGIN') ? setting : readFileSync(setting, 'utf8')

function readCursors(path: string): Record<string, Cursor> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
}
