import type { RequestFacts } from '../engine/request-facts.ts'
import type { WafSettings } from '../engine/settings.ts'
import type { RuleReport, WafResult } from '../engine/waf-engine.ts'

/** What the thread for large bodies is told. `firewall`: a number for each configuration. */
export type MessageToInspector =
  | {
      readonly type: 'load'
      readonly firewall: number
      readonly rules: string
      readonly settings: WafSettings
    }
  | { readonly type: 'forget'; readonly firewall: number }
  | {
      readonly type: 'inspect'
      readonly firewall: number
      /** Repeated in the answer. */
      readonly call: number
      readonly facts: RequestFacts
      /** Milliseconds. */
      readonly timeBudget: number
    }

/** What it answers. */
export type MessageFromInspector =
  | { readonly type: 'loaded'; readonly firewall: number; readonly report: RuleReport }
  | { readonly type: 'failed'; readonly firewall: number; readonly reason: string }
  | { readonly type: 'inspected'; readonly call: number; readonly result: WafResult }
