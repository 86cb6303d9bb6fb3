import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildGateway } from './build/bundle.ts'
import { root } from './process/tool.ts'
import { runChecks } from './start/check/check.ts'
import { addFailingServices } from './start/check/failing-services.ts'
import { operationChecks } from './start/check/operation.ts'
import { subjectOf } from './start/check/subject.ts'
import { trafficChecks } from './start/check/traffic.ts'
import { type CertificateFiles, developmentAuthority } from './start/development-certificates.ts'
import { type LocalFolder, prepareLocalFolder } from './start/local-folder.ts'
import { type PageContent, page } from './start/page.ts'
import { requireFreePorts, startSession } from './start/session.ts'
import { step } from './terminal/progress.ts'

const usage = `npm start [-- OPTIONS]

  Builds Gatehouse, synthesizes every environment and runs the local one until Ctrl-C.

  --check            try the gateway through real sockets, print what was seen, and stop
  --port-offset N    add N to every port, where the usual ones are taken
  --help             this text

  With DEBUG=1 in the environment, an error is shown with its stack.
`

interface Options {
  readonly check: boolean
  readonly portOffset: number
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      'port-offset': { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  })
  const portOffset = Number(values['port-offset'])
  if (!Number.isInteger(portOffset) || portOffset < 0 || portOffset > 56_000) {
    throw new Error(`--port-offset ${values['port-offset']}: expected a whole number from 0 to 56000`)
  }
  return values.help ? undefined : { check: values.check, portOffset }
}

const state = join(root, '.gatehouse')

/** One folder for each offset, so that two can run beside each other; a check has its own, new each time. */
function folderOf({ check, portOffset }: Options): string {
  const name = check ? 'check' : 'local'
  return join(state, portOffset === 0 ? name : `${name}+${portOffset}`)
}

async function main(options: Options, interrupted: AbortSignal): Promise<void> {
  const directory = folderOf(options)
  if (options.check) await rm(directory, { recursive: true, force: true })
  const authority = await developmentAuthority(join(state, 'ca'))
  const folder = await prepareLocalFolder({
    environment: join(root, 'stacks/environments/local'),
    directory,
    portOffset: options.portOffset,
    authority,
  })
  await requireFreePorts(folder.layout, options.portOffset)
  await step('Build the gateway', buildGateway)
  interrupted.throwIfAborted()
  const environments = await step('Synthesize every environment', async () => {
    const { synthesizeEnvironments } = await import('./synth/synthesize.ts') // cdktf: loaded where time is shown
    return synthesizeEnvironments()
  })
  interrupted.throwIfAborted()
  if (options.check) await check(folder, authority, interrupted)
  else await serve({ folder, authority, environments }, interrupted)
}

/** Runs until the person has had enough; throws when the gateway ends before that. */
async function serve(content: PageContent, interrupted: AbortSignal): Promise<void> {
  const session = await startSession(content.folder, interrupted)
  try {
    process.stdout.write(`\n${page(content)}\n`)
    if (!interrupted.aborted) await Promise.race([once(interrupted, 'abort'), session.gateway.exited])
    if (!interrupted.aborted) {
      throw new Error(`The gateway ended by itself; it wrote:\n${session.gateway.output()}`)
    }
    process.stdout.write('\n')
  } finally {
    await step('Stop the gateway and the services', () => session.stop())
  }
}

/** Tries the gateway; throws naming what failed. The folder is deleted when all is well. */
async function check(
  folder: LocalFolder,
  authority: CertificateFiles,
  interrupted: AbortSignal,
): Promise<void> {
  const failing = await addFailingServices(folder.directory)
  try {
    const session = await startSession(folder, interrupted)
    try {
      const subject = await subjectOf(session, failing, authority)
      const failed = await runChecks([...trafficChecks(subject), ...operationChecks(subject)], interrupted)
      if (failed.length > 0) {
        const list = failed.map((line) => `  ${line}`).join('\n')
        throw new Error(`Failed:\n${list}\nThe logs are in ${folder.layout.logDirectory}`)
      }
    } finally {
      await step('Stop the gateway and the services', () => session.stop())
    }
  } finally {
    await failing.stop()
  }
  await rm(folder.directory, { recursive: true, force: true })
}

/** The exit code; what went wrong is written to stderr. */
async function run(): Promise<number> {
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort())
  try {
    const options = readOptions()
    if (options) await main(options, interruption.signal)
    else process.stdout.write(usage)
    return 0
  } catch (error) {
    if (interruption.signal.aborted) return 130
    const details = error instanceof Error && process.env.DEBUG ? error.stack : undefined
    process.stderr.write(`\n${details ?? (error instanceof Error ? error.message : error)}\n`)
    return 1
  }
}

process.exitCode = await run()
