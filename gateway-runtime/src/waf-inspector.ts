// A thread that looks at large bodies, which would keep other requests waiting on a worker of the data plane.
import { parentPort } from 'node:worker_threads'
import { WafEngine } from './plugins/waf/engine/waf-engine.ts'
import type { MessageFromInspector, MessageToInspector } from './plugins/waf/inspection/messages.ts'

const port = parentPort!
const engines = new Map<number, WafEngine>()
const send = (message: MessageFromInspector): void => port.postMessage(message)

function load({ firewall, rules, settings }: Extract<MessageToInspector, { type: 'load' }>): void {
  try {
    const engine = WafEngine.load(rules, settings)
    engines.set(firewall, engine)
    send({ type: 'loaded', firewall, report: engine.report })
  } catch (error) {
    send({ type: 'failed', firewall, reason: error instanceof Error ? error.message : String(error) })
  }
}

port.on('message', (message: MessageToInspector) => {
  switch (message.type) {
    case 'load':
      return load(message)
    case 'forget':
      engines.delete(message.firewall)
      break
    case 'inspect': {
      const { call, firewall, facts, timeBudget } = message
      const result = engines.get(firewall)?.inspect(facts, timeBudget) ?? notLoaded
      send({ type: 'inspected', call, result })
    }
  }
})

const notLoaded = {
  blocked: true,
  suspicious: true,
  score: 0,
  hits: [],
  failure: { reason: 'engine-error', detail: 'the rules are not loaded' },
} as const
