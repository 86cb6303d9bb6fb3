import { type ChildProcess, spawn } from 'node:child_process'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process that was started and runs until it ends or is stopped. */
export interface Program {
  readonly name: string
  readonly pid: number
  /** Resolves when the process has ended and all its output was read; never rejects. */
  readonly exited: Promise<Exit>
  readonly hasExited: boolean
  /** What it has written to stdout and stderr: the last 64 KiB. */
  output(): string
  /**
   * Asks it to end with `signal` and waits; after `limit` milliseconds it is killed.
   * Returns how it ended; stopping what has ended is no error.
   */
  stop(options?: { signal?: NodeJS.Signals; limit?: number }): Promise<Exit>
}

export interface ProgramOptions {
  readonly name: string
  readonly command: readonly [file: string, ...args: string[]]
  readonly cwd?: string
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Gives it a process group of its own, which `stop` signals as a whole, as a terminal does on Ctrl-C. */
  readonly ownGroup?: boolean
}

const outputLimit = 65_536
const stopLimit = 10_000

/** How to end each program that runs now, for when this process ends without having stopped them. */
const running = new Set<() => void>()
process.once('exit', () => {
  for (const end of running) end()
})

/** Starts a program without a shell. Rejects when it cannot be started (not found, not executable). */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { name, command, cwd, env, ownGroup = false } = options
  const [file, ...args] = command
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: ownGroup,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output = (output + text).slice(-outputLimit)
    })
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  await started(child, name)
  const end = () => send(child, 'SIGTERM', ownGroup)
  running.add(end)
  child.once('exit', () => running.delete(end))

  return {
    name,
    pid: child.pid!,
    exited,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null
    },
    output: () => output,
    async stop({ signal = 'SIGTERM', limit = stopLimit } = {}) {
      send(child, signal, ownGroup)
      const timer = setTimeout(() => send(child, 'SIGKILL', ownGroup), limit)
      const exit = await exited
      clearTimeout(timer)
      return exit
    },
  }
}

const started = (child: ChildProcess, name: string) =>
  new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => reject(new Error(`cannot start ${name}: ${error.message}`)))
  })

/** No error when the process or its group has gone. */
function send(child: ChildProcess, signal: NodeJS.Signals, toGroup: boolean): void {
  if (!toGroup) {
    child.kill(signal)
    return
  }
  try {
    process.kill(-child.pid!, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
