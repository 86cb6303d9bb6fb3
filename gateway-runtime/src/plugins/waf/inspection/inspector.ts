import { Worker } from 'node:worker_threads'
import type { RequestFacts } from '../engine/request-facts.ts'
import type { WafSettings } from '../engine/settings.ts'
import type { RuleReport, WafResult } from '../engine/waf-engine.ts'
import type { MessageFromInspector, MessageToInspector } from './messages.ts'

/** Requests with large bodies that wait or are looked at; one more is refused. */
const mostWaiting = 64
/** Milliseconds past its budget after which an inspection is given up, and the thread with it. */
const grace = 2_000
/** Milliseconds; rules that kill the thread do not keep the machine busy with it. */
const restartDelay = 1_000

export interface FirewallEvents {
  onLoaded(report: RuleReport): void
  onFailed(reason: string): void
}

/** One configuration of the firewall on the thread that all share. */
export interface Firewall {
  /** Rejected where too many wait, the time is up, or the thread dies. */
  inspect(facts: RequestFacts, timeBudget: number): Promise<WafResult>
  close(): void
}

interface Call {
  readonly resolve: (result: WafResult) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

interface Loaded {
  readonly rules: string
  readonly settings: WafSettings
  readonly events: FirewallEvents
}

/** Looks at large bodies on a thread of its own, which is there while a firewall is; one that dies is replaced. */
class Inspector {
  readonly #firewalls = new Map<number, Loaded>()
  readonly #calls = new Map<number, Call>()
  #worker: Worker | undefined
  #last = 0

  open(rules: string, settings: WafSettings, events: FirewallEvents): Firewall {
    const firewall = ++this.#last
    this.#firewalls.set(firewall, { rules, settings, events })
    if (this.#worker) this.#post({ type: 'load', firewall, rules, settings })
    else this.#start()
    return {
      inspect: (facts, timeBudget) => this.#inspect(firewall, facts, timeBudget),
      close: () => this.#close(firewall),
    }
  }

  #inspect(firewall: number, facts: RequestFacts, timeBudget: number): Promise<WafResult> {
    if (!this.#worker) return Promise.reject(new Error('the thread for large bodies is being started'))
    if (this.#calls.size >= mostWaiting) return Promise.reject(new Error('too many large bodies wait'))
    const call = ++this.#last
    const { promise, resolve, reject } = Promise.withResolvers<WafResult>()
    // It may stand behind others, each of which may take as long.
    const timeout = (this.#calls.size + 1) * timeBudget + grace
    const timer = setTimeout(() => this.#giveUp(), timeout)
    this.#calls.set(call, { resolve, reject, timer })
    this.#post({ type: 'inspect', firewall, call, facts, timeBudget })
    return promise
  }

  #start(): void {
    const name = import.meta.url.endsWith('.ts') ? '../../../waf-inspector.ts' : './waf-inspector.mjs'
    const worker = new Worker(new URL(name, import.meta.url))
    this.#worker = worker
    worker.on('message', (message: MessageFromInspector) => this.#onMessage(message))
    worker.on('error', () => {}) // 'exit' follows
    worker.once('exit', () => this.#onExit(worker))
    for (const [firewall, { rules, settings }] of this.#firewalls) {
      this.#post({ type: 'load', firewall, rules, settings })
    }
  }

  #onMessage(message: MessageFromInspector): void {
    if (message.type === 'inspected') {
      const call = this.#calls.get(message.call)
      this.#calls.delete(message.call)
      clearTimeout(call?.timer)
      call?.resolve(message.result)
      return
    }
    const events = this.#firewalls.get(message.firewall)?.events
    if (message.type === 'loaded') events?.onLoaded(message.report)
    else events?.onFailed(message.reason)
  }

  #giveUp(): void {
    void this.#worker?.terminate()
  }

  #onExit(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { timer, reject } of this.#calls.values()) {
      clearTimeout(timer)
      reject(new Error('the thread for large bodies has ended'))
    }
    this.#calls.clear()
    setTimeout(() => {
      if (this.#firewalls.size > 0 && !this.#worker) this.#start()
    }, restartDelay).unref()
  }

  #close(firewall: number): void {
    this.#firewalls.delete(firewall)
    if (this.#firewalls.size > 0) return this.#post({ type: 'forget', firewall })
    void this.#worker?.terminate()
  }

  #post(message: MessageToInspector): void {
    this.#worker?.postMessage(message)
  }
}

/** That of this process. */
export const inspector = new Inspector()
