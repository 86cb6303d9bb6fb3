import { z } from 'zod'
import { definePlugin } from '../contract.ts'
import type { transcoder } from './json-transcoder.ts'

const settings = z.strictObject({
  descriptor_set: z
    .string()
    .startsWith('/')
    .describe(
      'File that `protoc --include_imports --descriptor_set_out` or `buf build -o` makes. A new one needs a new name.',
    ),
  services: z
    .array(z.string().min(1))
    .max(1_000)
    .default([])
    .describe('Full names of the services to offer, as shop.v1.Books; left out: all that have annotations.'),
  body_bytes: z
    .int()
    .min(0)
    .max(2 ** 26)
    .default(4_194_304)
    .describe('Bytes of a request at most.'),
  message_bytes: z
    .int()
    .min(1)
    .max(2 ** 26)
    .default(4_194_304)
    .describe('Bytes of a message of an answer at most.'),
  emit_defaults: z
    .boolean()
    .default(false)
    .describe('Whether answers have the fields that are 0, false or empty.'),
})
export type GrpcJsonSettings = z.output<typeof settings>

/** REST in JSON for services of gRPC, by their annotations (googleapis/google/api/http.proto). */
export const grpcJson = definePlugin({
  name: 'grpc-json',
  order: 125,
  description:
    'Calls methods of gRPC for requests of REST in JSON, by the google.api.http annotations of a descriptor set.',
  config: settings,
  examples: [{ descriptor_set: '/etc/gateway/books.binpb', services: ['shop.v1.Books'] }],
  counters: { calls: 'Calls that were made.', failed: 'Calls that ended with another status than OK.' },
  create(config, gateway) {
    let loaded: ReturnType<typeof transcoder> | undefined
    // What reads descriptors takes long to load: not before it is wanted.
    const ready = import('./json-transcoder.ts').then(({ transcoder }) => {
      loaded = transcoder(config, gateway)
    })
    ready.catch(() => {}) // whoever waits for it is told
    return {
      ready,
      onRequest: (exchange) =>
        loaded ? loaded.onRequest(exchange) : ready.then(() => loaded!.onRequest(exchange)),
      onResponse: (exchange, response) => loaded!.onResponse(exchange, response),
    }
  },
})
