import type { z } from '../../config/index.ts'
import { purgeSchema } from '../../plugins/proxy-cache/purge.ts'
import { askedRequest } from './asked-request.ts'
import { importSchema, keyChangeSchema, orderSchema, revocationSchema } from './certificate-resources.ts'

/** What can be asked of a node besides its entities and its configuration. */
export interface Operation {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly summary: string
  /** What its body says; an object of any kind where it is `any`. */
  readonly body?: z.ZodType | 'any'
  /** Of the answer; 200. */
  readonly status?: 201 | 202 | 204
}

export const operations: readonly Operation[] = [
  { method: 'get', path: '/', summary: 'What this is, and the plugins that it has.' },
  { method: 'get', path: '/status', summary: 'Workers, targets, store, Redis, exports and certificates.' },
  { method: 'get', path: '/openapi.json', summary: 'This document.' },
  { method: 'get', path: '/tags', summary: 'All tags, each with the entities that have it.' },
  { method: 'get', path: '/tags/{tag}', summary: 'The entities with a tag.' },
  { method: 'get', path: '/plugins/enabled', summary: 'The names of all plugins.' },
  { method: 'get', path: '/plugins/schema/{name}', summary: 'The settings of a plugin.' },
  { method: 'get', path: '/schemas/{entity}', summary: 'The fields of an entity, for clients of Kong.' },
  {
    method: 'get',
    path: '/schemas/plugins/{name}',
    summary: 'The settings of a plugin, for clients of Kong.',
  },
  { method: 'post', path: '/schemas/{entity}/validate', summary: 'Whether an entity is right.', body: 'any' },
  { method: 'get', path: '/routes/{id}/service', summary: 'The service of a route.' },
  {
    method: 'get',
    path: '/upstreams/{id}/health',
    summary: 'The targets of an upstream, with their states.',
  },
  {
    method: 'post',
    path: '/routes/explain',
    summary: 'Which route a request takes, and why.',
    body: askedRequest,
  },
  {
    method: 'post',
    path: '/trace',
    summary: 'Sends a request through the gateway, and tells how long each plugin and attempt took.',
    body: askedRequest,
  },
  { method: 'post', path: '/cache/purge', summary: 'Has caches forget what it names.', body: purgeSchema },
  { method: 'post', path: '/drain', summary: 'Takes no more requests.', status: 202 },
  { method: 'get', path: '/acme/certificates', summary: 'Certificates that are ordered or imported.' },
  { method: 'post', path: '/acme/orders', summary: 'Orders certificates.', body: orderSchema, status: 202 },
  { method: 'post', path: '/acme/revocations', summary: 'Revokes one.', body: revocationSchema, status: 204 },
  { method: 'post', path: '/acme/imports', summary: 'Takes one in.', body: importSchema, status: 201 },
  {
    method: 'post',
    path: '/acme/account-keys',
    summary: 'Gives the account at an authority another key.',
    body: keyChangeSchema,
    status: 204,
  },
]
