import { hash } from 'node:crypto'

/** A Lua script: sent once to a server, then called by its hash. */
export interface RedisScript {
  readonly source: string
  /** SHA-1 of the source, hexadecimal, as EVALSHA takes it. */
  readonly sha: string
}

export const redisScript = (source: string): RedisScript => ({ source, sha: hash('sha1', source, 'hex') })

/**
 * - `connected`: every primary of the cluster answers.
 * - `failing-over`: some primaries do not answer; keys of the others can be used.
 * - `down`: none answers, or none was found yet.
 */
export type RedisState = 'connected' | 'failing-over' | 'down'
export const redisStates: readonly RedisState[] = ['connected', 'failing-over', 'down']

/** What a script has answered. */
export interface ScriptReply {
  readonly reply: unknown
  /** Whether every replica of the server has what the script wrote: a failover does not lose it. */
  readonly replicated: boolean
}

/**
 * The Redis Cluster, for all parts of the node that use it. Commands never wait for a connection to come back: they
 * are answered within `redis.timeout`, or rejected.
 */
export interface Redis {
  readonly state: RedisState
  /** Put before each key. */
  readonly prefix: string
  /**
   * Sends a command to the server that has the slot of `key`. With `binary`, texts in the reply are Buffers. Rejected
   * with a RedisError.
   */
  command(
    key: string,
    args: readonly (string | Buffer)[],
    options?: { readonly binary?: boolean },
  ): Promise<unknown>
  /**
   * Runs a script where the first of the keys is; all have one hash tag. With `replicated`, waits until the replicas
   * have what it wrote, as far as they do in time. Whether a rejected script has run is not known.
   */
  script(
    script: RedisScript,
    keys: readonly [string, ...string[]],
    args: readonly (string | Buffer)[],
    options?: { readonly replicated?: boolean },
  ): Promise<ScriptReply>
  /** Called on each change of state, until the function that it returns is called. */
  onState(listener: (state: RedisState) => void): () => void
}

/** A command was not answered, or with an error; the message says why and holds neither keys nor secrets. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
}
