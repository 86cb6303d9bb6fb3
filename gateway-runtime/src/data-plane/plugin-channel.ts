import type { MessageFromWorker, MessageToWorker, PluginAnswer } from '../worker-messages.ts'

const callTimeout = 10_000
const mostCalls = 10_000

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** What passes between the plugins of this worker and their services on the main thread, by the keys of plugins. */
export class PluginChannel {
  readonly #send: (message: MessageFromWorker) => void
  readonly #calls = new Map<number, Call>()
  readonly #listeners = new Map<string, (message: unknown) => void>()
  #broadcasts = new Map<string, unknown>()
  #lastCall = 0

  constructor(send: (message: MessageFromWorker) => void) {
    this.#send = send
  }

  call(plugin: string, message: unknown): Promise<unknown> {
    if (this.#calls.size >= mostCalls)
      return Promise.reject(new Error('too many calls wait for the main thread'))
    const call = ++this.#lastCall
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const timer = setTimeout(() => {
      this.#calls.delete(call)
      reject(new Error(`the main thread gave no answer within ${callTimeout} ms`))
    }, callTimeout)
    this.#calls.set(call, { resolve, reject, timer })
    this.#send({ type: 'plugin-call', plugin, call, message })
    return promise
  }

  onAnswer({ call, ...answer }: { readonly call: number } & PluginAnswer): void {
    const waiting = this.#calls.get(call)
    if (!waiting) return
    this.#calls.delete(call)
    clearTimeout(waiting.timer)
    if ('error' in answer) waiting.reject(new Error(answer.error))
    else waiting.resolve(answer.value)
  }

  /** One listener a plugin: a later one takes its place. */
  listen(plugin: string, listener: (message: unknown) => void): void {
    this.#listeners.set(plugin, listener)
    if (this.#broadcasts.has(plugin)) listener(this.#broadcasts.get(plugin))
  }

  onBroadcast({ plugin, message }: Extract<MessageToWorker, { type: 'plugin-broadcast' }>): void {
    this.#broadcasts.set(plugin, message)
    this.#listeners.get(plugin)?.(message)
  }

  /** What was broadcast before this worker or this configuration began. */
  takeOver(broadcasts: ReadonlyMap<string, unknown>): void {
    this.#broadcasts = new Map(broadcasts)
  }

  /** Forgets all plugins but these. */
  keep(plugins: ReadonlySet<string>): void {
    for (const plugin of this.#listeners.keys()) if (!plugins.has(plugin)) this.#listeners.delete(plugin)
  }
}
