import type { JsonObject } from '@bufbuild/protobuf'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { RestAnswer, RestCalls } from '../rest-calls.ts'
import type { AdminService } from './generated/gatehouse/admin/v1/admin_pb.js'
import { principalKey } from './principal-key.ts'

type Method = Parameters<RestCalls['call']>[1]
type Options = Parameters<RestCalls['call']>[3]

/** What a status of REST is in gRPC. */
const codes: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  409: Code.AlreadyExists,
  412: Code.FailedPrecondition,
  413: Code.ResourceExhausted,
  429: Code.ResourceExhausted,
  503: Code.Unavailable,
}

/** The code of gRPC for a status of REST. */
export const codeOfStatus = (status: number): Code =>
  codes[status] ?? (status < 500 ? Code.InvalidArgument : Code.Internal)

const segment = /^[A-Za-z0-9._~%:@-]{1,512}$/

/** `services/orders/routes` as the path that REST has for it. @throws ConnectError */
function pathOf(collection: string, id?: string): string {
  const parts = collection.split('/')
  if (parts.length > 3 || !parts.every((part) => segment.test(part)) || parts.includes('..'))
    throw new ConnectError(
      'expected a collection such as services, or services/orders/routes',
      Code.InvalidArgument,
    )
  if (id === '') throw new ConnectError('an id or name is missing', Code.InvalidArgument)
  const path = `/${parts.map((part) => encodeURIComponent(part)).join('/')}`
  return id === undefined ? path : `${path}/${encodeURIComponent(id)}`
}

const query = (values: Readonly<Record<string, string | number | boolean>>) => {
  const given = Object.entries(values).filter(([, value]) => value !== '' && value !== 0 && value !== false)
  const text = new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, String(value === true ? 1 : value)]),
  )
  return given.length === 0 ? '' : `?${text}`
}

/** The operations of REST under the names that they have in gRPC. */
export function adminService(rest: RestCalls): ServiceImpl<typeof AdminService> {
  const ask = async (context: HandlerContext, method: Method, url: string, options?: Options) => {
    const principal = context.values.get(principalKey)
    if (!principal) throw new ConnectError('nobody is known to call', Code.Unauthenticated)
    return checked(await rest.call(principal, method, url, options))
  }
  const document = async (context: HandlerContext, method: Method, url: string, body?: object) => ({
    value: (await ask(context, method, url, { body })).body as JsonObject,
  })
  const entity = ({ body, etag, status }: RestAnswer) => ({
    value: body as JsonObject,
    etag,
    created: status === 201,
  })
  return {
    async listEntities({ collection, size, offset, tags }, context) {
      const url = `${pathOf(collection)}${query({ size, offset, tags })}`
      const { body } = await ask(context, 'GET', url)
      const { data, offset: next = '' } = body as { data: JsonObject[]; offset?: string }
      return { data, offset: next }
    },
    getEntity: async ({ collection, id }, context) =>
      entity(await ask(context, 'GET', pathOf(collection, id))),
    createEntity: async ({ collection, value = {} }, context) =>
      entity(await ask(context, 'POST', pathOf(collection), { body: value })),
    putEntity: async ({ collection, id, value = {}, ifMatch }, context) =>
      entity(await ask(context, 'PUT', pathOf(collection, id), { body: value, ifMatch })),
    patchEntity: async ({ collection, id, value = {}, ifMatch }, context) =>
      entity(await ask(context, 'PATCH', pathOf(collection, id), { body: value, ifMatch })),
    async deleteEntity({ collection, id, ifMatch }, context) {
      await ask(context, 'DELETE', pathOf(collection, id), { ifMatch })
      return {}
    },
    async getConfiguration(_request, context) {
      const { body, etag } = await ask(context, 'GET', '/config')
      return { value: body as JsonObject, etag }
    },
    async applyConfiguration({ value = {}, dryRun, checkHash, ifMatch }, context) {
      const url = `/config${query({ dry_run: dryRun, check_hash: checkHash })}`
      const { body, status } = await ask(context, 'POST', url, { body: value, ifMatch })
      return { result: (body ?? {}) as JsonObject, unchanged: status === 304 }
    },
    reloadConfiguration: (_request, context) => document(context, 'POST', '/config/reload'),
    listHistory: (_request, context) => document(context, 'GET', '/config/history'),
    async rollBack({ id, dryRun, ifMatch }, context) {
      const url = `/config/history/${id}/rollback${query({ dry_run: dryRun })}`
      const { body } = await ask(context, 'POST', url, { ifMatch })
      return { result: (body ?? {}) as JsonObject }
    },
    getStatus: (_request, context) => document(context, 'GET', '/status'),
    getSchema: ({ name }, context) => document(context, 'GET', `/schemas${pathOf(name)}`),
    validateEntity: ({ collection, value = {} }, context) =>
      document(context, 'POST', `/schemas${pathOf(collection)}/validate`, value),
    explainRoute: ({ method, url, headers }, context) =>
      document(context, 'POST', '/routes/explain', { method, url, headers }),
    drain: (_request, context) => document(context, 'POST', '/drain'),
  }
}

/** @throws ConnectError with what REST says against it */
function checked(answer: RestAnswer): RestAnswer {
  if (answer.status < 400) return answer
  const { detail, title } = (answer.body ?? {}) as { readonly detail?: string; readonly title?: string }
  throw new ConnectError(detail ?? title ?? `status ${answer.status}`, codeOfStatus(answer.status))
}
