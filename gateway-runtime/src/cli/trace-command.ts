import { type Command, InvalidArgumentError } from 'commander'
import type { TracedRequest } from '../worker-messages.ts'
import { running } from './node-commands.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'
import { table } from './table.ts'

function header(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([\w-]+): *(.*)$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError('expected a header such as "apikey: KEY"')
  return { ...before, [name.toLowerCase()]: value! }
}

/** `trace URL`: sends one request through the running gateway, and shows where its time went. */
export function addTraceCommand(program: Command): void {
  const trace = program
    .command('trace')
    .description('send one request through the gateway and show how long each plugin and attempt took')
    .argument(
      '<url>',
      'as a client would call it; the request goes to this gateway, wherever its name leads to',
    )
    .option('-X, --method <method>', 'its method', 'GET')
    .option('-H, --header <header>', 'a header, "name: value"; several times for several', header)
  addGlobalOptions(trace).action(async (url: string) => {
    const settings = settingsOf(trace)
    const { method, header: headers = {} } = trace.opts<{ method: string; header?: Record<string, string> }>()
    const asked = { method, url, headers }
    const traced = (await (await running(settings)).request('POST', '/trace', asked)) as Omit<
      TracedRequest,
      'token'
    >
    process.stdout.write(`${settings.json ? JSON.stringify(traced, null, 2) : describe(traced)}\n`)
  })
}

function describe(traced: Omit<TracedRequest, 'token'>): string {
  const { status, code, route, service, consumer, duration, plugins, attempts, request_id } = traced
  const facts = [
    `${status}${code === null ? '' : ` ${code}`} in ${milliseconds(duration)}`,
    `route ${route ?? '(none)'}`,
    ...(service === null ? [] : [`service ${service}`]),
    ...(consumer === null ? [] : [`consumer ${consumer}`]),
    `request ${request_id}`,
  ]
  const steps = [
    ...plugins.map(({ plugin, phase, startedAt, duration }) => ({
      what: `${plugin} (${phase})`,
      startedAt,
      duration,
    })),
    ...attempts.map(({ target, status, failure, startedAt, duration }) => ({
      what: `${target}: ${failure ?? status ?? 'no answer'}`,
      startedAt,
      duration: duration ?? 0,
    })),
  ].sort((a, b) => a.startedAt - b.startedAt)
  const rows = steps.map(({ what, startedAt, duration }) => [
    milliseconds(startedAt),
    milliseconds(duration),
    what,
  ])
  return `${facts.join(', ')}\n\n${table(['AFTER', 'TOOK', 'STEP'], rows)}`
}

const milliseconds = (time: number) => `${time.toFixed(3)} ms`
