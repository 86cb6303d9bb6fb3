import { hostname } from 'node:os'
import { otlpAttributes } from '../../plugins/logging/sinks/otlp-sink.ts'

export type LogName = 'access' | 'error'
type Fields = Record<string, string | number | boolean | undefined>

/** A line of a log, with what every form of it needs. */
interface LogRecord {
  /** ISO 8601. */
  readonly time: string
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Fields
}

/** `time level event name=value name="quoted value"`: see telemetry/error-log.ts. */
function parseErrorLine(line: string): LogRecord {
  const [, time, level, rest] = /^(\S+) (info|warn|error) (.*)$/.exec(line) ?? []
  if (rest === undefined) return { time: new Date().toISOString(), level: 'error', fields: { event: line } }
  const first = / [a-z_]+=/.exec(rest)
  const fields: Fields = { event: first ? rest.slice(0, first.index) : rest }
  for (const [, name, value] of (first ? rest.slice(first.index) : '').matchAll(
    / ([a-z_]+)=("(?:[^"\\]|\\.)*"|\S+)/g,
  ))
    fields[name!] = value!.startsWith('"') ? String(JSON.parse(value!)) : value!
  return { time: time!, level: level as LogRecord['level'], fields }
}

function parseAccessLine(line: string): LogRecord {
  try {
    const { time, ...fields } = JSON.parse(line) as Fields
    return { time: String(time), level: 'info', fields }
  } catch {
    return { time: new Date().toISOString(), level: 'info', fields: { event: line } }
  }
}

const parse = (log: LogName, line: string) =>
  log === 'access' ? parseAccessLine(line) : parseErrorLine(line)

/** A line of JSON: what access.log has, with the name of the log and of the host. */
export function jsonRecord(log: LogName, line: string): string {
  const { time, level, fields } = parse(log, line)
  return JSON.stringify({ time, log, host: hostname(), ...(log === 'error' && { level }), ...fields })
}

const severities = { info: 6, warn: 4, error: 3 } as const
const local0 = 16

/** RFC 5424: local0, application `gatehouse`, the name of the log as its message id, JSON as the message. */
export function syslogRecord(log: LogName, line: string): string {
  const { time, level } = parse(log, line)
  const priority = local0 * 8 + severities[level]
  return `<${priority}>1 ${time} ${hostname()} gatehouse ${process.pid} ${log} - ${jsonRecord(log, line)}`
}

/** Numbers of OpenTelemetry's logs data model. */
const severityNumbers = { info: 9, warn: 13, error: 17 } as const

/** A record of OTLP, as JSON. */
export function otlpRecord(log: LogName, line: string): string {
  const { time, level, fields } = parse(log, line)
  const { event, trace_id, ...attributes } = fields
  const body = event ?? [fields.method, fields.path, fields.status].filter(Boolean).join(' ')
  return JSON.stringify({
    timeUnixNano: `${Date.parse(time)}000000`,
    severityNumber: severityNumbers[level],
    severityText: level,
    body: { stringValue: String(body) },
    attributes: otlpAttributes({ 'log.file.name': `${log}.log`, ...attributes }),
    ...(typeof trace_id === 'string' && { traceId: trace_id }),
  })
}
