import type { JSONWebKeySet } from 'jose'
import type { PluginNode, PluginService } from '../../contract.ts'
import type { JsonClient } from './fetch-json.ts'
import { publicKeys } from './key-set.ts'

/** What the workers are told. */
export interface KeySetMessage {
  readonly keys: JSONWebKeySet
  /** Whether the issuer could not be asked when it was time to: these keys are the last ones known. */
  readonly isStale: boolean
}

/** What workers ask for: to wait for the first keys, or for newer ones. */
export type KeySetCall = 'first' | 'newer'

export interface KeySetSettings {
  readonly client: JsonClient
  /** Finds out where the keys are. */
  locate(signal: AbortSignal): Promise<string>
  /** Milliseconds from one set to the next. */
  readonly refresh: number
  /** Milliseconds between two requests at least, whatever the workers ask for. */
  readonly leastInterval: number
}

const firstRetry = 1_000

/** Fetches the keys of an issuer, again and again, for all workers of the node; keeps the last ones when it is out. */
export class KeySetService implements PluginService {
  readonly #settings: KeySetSettings
  readonly #node: PluginNode
  readonly #stopped = new AbortController()
  #sent: { readonly text: string; readonly isStale: boolean; readonly keys: JSONWebKeySet } | undefined
  #underWay: Promise<void> | undefined
  #begunAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #timer: NodeJS.Timeout | undefined

  constructor(settings: KeySetSettings, node: PluginNode) {
    this.#settings = settings
    this.#node = node
    void this.#fetch()
  }

  /** Answers when the keys are as new as they can be now. */
  async onCall(message: unknown): Promise<void> {
    if (message === 'first' && this.#sent) return
    const isTooEarly = performance.now() - this.#begunAt < this.#settings.leastInterval
    if (this.#underWay || !isTooEarly) await this.#fetch()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopped.abort()
    await this.#settings.client.close()
  }

  #fetch(): Promise<void> {
    this.#underWay ??= this.#fetchOnce().finally(() => {
      this.#underWay = undefined
    })
    return this.#underWay
  }

  async #fetchOnce(): Promise<void> {
    clearTimeout(this.#timer)
    this.#begunAt = performance.now()
    const { signal } = this.#stopped
    try {
      const url = await this.#settings.locate(signal)
      this.#onKeys(publicKeys(await this.#settings.client.ask(url, { signal })))
    } catch (error) {
      if (!signal.aborted) this.#onFailure(error as Error)
    }
    if (!signal.aborted) this.#timer = setTimeout(() => void this.#fetch(), this.#wait())
  }

  /** With a random part, so that the nodes of a cluster do not all ask at once. */
  #wait(): number {
    const { refresh } = this.#settings
    const whole =
      this.#failures === 0 ? refresh : Math.min(refresh, firstRetry * 2 ** Math.min(this.#failures - 1, 20))
    return whole * (0.8 + Math.random() * 0.2)
  }

  #onKeys(keys: JSONWebKeySet): void {
    if (this.#failures > 0)
      this.#node.log('info', 'keys of the issuer fetched again', { failures: this.#failures })
    this.#failures = 0
    this.#send(keys, false)
  }

  #onFailure({ message }: Error): void {
    this.#failures++
    this.#node.log('warn', 'keys of the issuer not fetched', {
      reason: message,
      failures: this.#failures,
      kept_keys: this.#sent?.keys.keys.length ?? 0,
    })
    if (this.#sent) this.#send(this.#sent.keys, true)
  }

  #send(keys: JSONWebKeySet, isStale: boolean): void {
    const text = JSON.stringify(keys)
    if (this.#sent?.text === text && this.#sent.isStale === isStale) return
    this.#sent = { text, isStale, keys }
    this.#node.broadcast({ keys, isStale } satisfies KeySetMessage)
  }
}
