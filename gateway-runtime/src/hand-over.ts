import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { notifyDescriptor, notifyServiceManager } from './service-manager.ts'

/*
 * A process hands over to a new one of the same program, which may be a newer version of it. Both take connections
 * meanwhile (SO_REUSEPORT). The admin and status ports belong to one process at a time: the old one closes them when
 * the new one takes requests, and opens them again where the new one fails after all.
 *
 *   old                      new
 *   starts it                holds the configuration, listens
 *                       <--  'listening'
 *   closes its ports
 *   'released'          -->  opens them
 *                       <--  'serving'
 *   'proceed'           -->  tells systemd that it is ready
 *   finishes its requests, ends
 */
type Message = 'listening' | 'released' | 'serving' | 'proceed'

const variable = 'GATEWAY_TAKES_OVER'
const limit = 25_000

/** What the process that hands over does about its own servers. */
export interface Predecessor {
  /** Closes the admin and status ports. */
  release(): Promise<void>
  /** Opens them again. */
  resume(): Promise<void>
}

/**
 * Starts a new process with the arguments of this one. Resolves when it serves: this one is to finish then.
 * Rejects where it did not come up; it is ended, and this one goes on as before.
 */
export async function handOver(predecessor: Predecessor): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['ignore', 'inherit', 'inherit', notifyDescriptor ?? 'ignore', 'ipc'],
    env: { ...process.env, [variable]: '1', ...(notifyDescriptor !== undefined && { NOTIFY_FD: '3' }) },
  })
  let released = false
  try {
    await next(child, 'listening')
    released = true
    await predecessor.release()
    child.send('released' satisfies Message)
    await next(child, 'serving')
  } catch (error) {
    await end(child)
    if (released) await predecessor.resume()
    throw error
  }
  notifyServiceManager(`MAINPID=${child.pid}`)
  child.send('proceed' satisfies Message)
  child.unref()
}

/** Waits for a message of the new process; rejects when it ends, cannot be started, or takes too long. */
function next(child: ChildProcess, expected: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      act()
    }
    const onMessage = (message: unknown) => message === expected && settle(resolve)
    const onExit = () => settle(() => reject(new Error(`the new process ended before it was ${expected}`)))
    const onError = (error: Error) => settle(() => reject(error))
    const timer = setTimeout(
      () => settle(() => reject(new Error(`the new process was not ${expected} within ${limit} ms`))),
      limit,
    )
    child.on('message', onMessage).on('exit', onExit).on('error', onError)
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** The process that hands over to this one, as this one sees it. */
export interface Successor {
  /** To be called when connections are taken; resolves when the admin and status ports are free. */
  takePorts(): Promise<void>
  /** To be called when those are open too; resolves when this process is the main one. */
  takeOver(): Promise<void>
}

/** undefined in a process that nobody hands over to. */
export function successor(): Successor | undefined {
  if (!process.env[variable] || !process.send) return undefined
  delete process.env[variable] // it is not to be passed on
  const ask = async (state: Message): Promise<void> => {
    const answer = once(process, 'message')
    process.send!(state)
    await answer
  }
  return {
    takePorts: () => ask('listening'),
    async takeOver() {
      await ask('serving')
      process.disconnect()
    },
  }
}
