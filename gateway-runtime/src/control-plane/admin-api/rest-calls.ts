import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance } from 'fastify'
import type { Principal } from './access.ts'

const caller = new AsyncLocalStorage<Principal>()

/** Who a call within the process is made for; undefined for one that came over the network. */
export const callerWithin = (): Principal | undefined => caller.getStore()

export interface RestAnswer {
  readonly status: number
  readonly etag: string
  /** Parsed; undefined where there is none. */
  readonly body: unknown
}

/** Calls the REST API within the process, for somebody who is known already: what it checks is checked once. */
export class RestCalls {
  readonly #api: FastifyInstance

  constructor(api: FastifyInstance) {
    this.#api = api
  }

  async call(
    principal: Principal,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    { body, ifMatch }: { readonly body?: object | undefined; readonly ifMatch?: string } = {},
  ): Promise<RestAnswer> {
    const answer = await caller.run(
      principal,
      async () =>
        // Begins when it is awaited.
        await this.#api.inject({
          method,
          url,
          headers: { host: 'localhost', ...(ifMatch && { 'if-match': ifMatch }) },
          ...(body && { payload: body }),
        }),
    )
    return {
      status: answer.statusCode,
      etag: String(answer.headers.etag ?? ''),
      body: answer.body === '' ? undefined : answer.json(),
    }
  }
}
