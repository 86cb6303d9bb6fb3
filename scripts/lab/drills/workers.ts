import { ports } from '../environment.ts'
import { doOnHost, runOnHost } from '../host.ts'
import type { HostRecord } from '../record.ts'
import type { Fault } from './fault.ts'
import { withServiceSettings } from './service-settings.ts'

/** How a worker ends: at once, or because its heap is full. */
export type WorkerEnd = 'exit' | 'heap'

/** A plugin of a user that ends the worker which takes a request with the header: nothing else reaches one thread. */
const plugin = `import { definePlugin, z } from '@gatehouse/gateway-runtime/plugin'

export default definePlugin({
  name: 'drill',
  order: 5000,
  description: 'Ends the worker, as the header x-drill says: exit, or heap.',
  config: z.strictObject({}),
  create: () => ({
    onRequest({ request }) {
      const end = request.header('x-drill')
      if (end === 'exit') process.exit(1)
      if (end !== 'heap') return
      const kept = []
      for (;;) kept.push({ count: kept.length })
    },
  }),
})
`
const configuration = `plugin_files: [drill.js]
plugins: [{ name: drill, config: {} }]
`
/** Small enough to be full within a second or two. */
const heapMegabytes = 128
const folder = '/etc/gateway'

/** Gives the gateway of a host two workers, and a plugin by which `endWorker` reaches one of them. */
export async function exposeWorkers(host: HostRecord): Promise<Fault> {
  await doOnHost(
    host,
    `set -e
cat >${folder}/drill.js <<'END'
${plugin}END
cat >${folder}/drill.yaml <<'END'
${configuration}END
sed -i 's/^workers: 1$/workers: 2/' ${folder}/config.yaml
grep -q '^workers: 2$' ${folder}/config.yaml`,
  )
  const { undo } = await withServiceSettings(host, [
    `Environment=NODE_OPTIONS=--max-old-space-size=${heapMegabytes}`,
  ])
  return {
    async undo() {
      await doOnHost(
        host,
        `rm ${folder}/drill.js ${folder}/drill.yaml; sed -i 's/^workers: 2$/workers: 1/' ${folder}/config.yaml`,
      )
      await undo()
    },
  }
}

/** Ends the worker that takes the next connection, by a request of the host itself; resolves when it has ended. */
export async function endWorker(host: HostRecord, end: WorkerEnd): Promise<void> {
  const url = `http://${host.address}:${ports.http[1]}/echo`
  await runOnHost(host, `curl --silent --max-time 60 --haproxy-protocol --header 'x-drill: ${end}' ${url}`)
}

/** What a gateway has said of the ends of its workers since it was started. */
export interface WorkerDeaths {
  /** `gatehouse_worker_restarts_total`. */
  readonly restarts: number
  /** Lines of error.log. */
  readonly log: string
}

export async function workerDeaths(host: HostRecord): Promise<WorkerDeaths> {
  const metrics = await doOnHost(host, 'curl --silent --fail http://127.0.0.1:9090/metrics')
  const log = await doOnHost(host, "grep -E 'worker (failed|died)' /var/log/gateway/error.log || true")
  return { restarts: Number(/^gatehouse_worker_restarts_total (\d+)/m.exec(metrics)?.[1]), log }
}
