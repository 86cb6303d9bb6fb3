import { z } from 'zod'
import { definePlugin, type PluginNode } from '../contract.ts'
import { LogBatcher } from './log-batcher.ts'
import { logEntry } from './log-entry.ts'
import { LogQueue, type LogSink } from './log-queue.ts'

/** Settings of whatever waits in a `LogQueue`. */
export const queueShape = {
  queue_bytes: z
    .int()
    .min(65_536)
    .max(2 ** 30)
    .default(16_777_216)
    .describe('Bytes that wait at most while they cannot be sent; past them the oldest lines are lost.'),
  batch_lines: z.int().min(1).max(10_000).default(100).describe('Lines that are sent at once.'),
  flush_interval: z
    .int()
    .min(10)
    .max(60_000)
    .default(500)
    .describe('Milliseconds that a line waits at most.'),
}

interface LogPlugin<Shape extends z.ZodRawShape> {
  readonly name: string
  readonly order: number
  readonly description: string
  readonly shape: Shape
  readonly examples: readonly z.input<z.ZodObject<Shape>>[]
  open(config: z.output<z.ZodObject<Shape>>, node: PluginNode): LogSink
}

/** A plugin that writes a line of JSON for each request, away from its way. */
export const defineLogPlugin = <Shape extends z.ZodRawShape>(plugin: LogPlugin<Shape>) => {
  const config = z.strictObject({ ...plugin.shape, ...queueShape })
  type Config = z.output<typeof config> & z.output<z.ZodObject<typeof queueShape>>
  return definePlugin({
    name: plugin.name,
    order: plugin.order,
    description: plugin.description,
    config,
    examples: plugin.examples as unknown as readonly z.input<typeof config>[],
    counters: { sent: 'Lines that were handed over.', dropped: 'Lines that were lost.' },
    create(settings, gateway) {
      const { batch_lines, flush_interval } = settings as Config
      const batcher = new LogBatcher(gateway, batch_lines, flush_interval)
      return {
        onEnd: (exchange, outcome) => batcher.add(JSON.stringify(logEntry(exchange, outcome))),
      }
    },
    serve(settings, node) {
      const sink = plugin.open(settings as z.output<z.ZodObject<Shape>>, node)
      const queue = new LogQueue(sink, settings as Config, (reason) =>
        node.log('error', 'log cannot be sent', { reason }),
      )
      return {
        onCall: (lines) => queue.add(lines as readonly string[]),
        stop: () => queue.stop(),
      }
    },
  })
}
