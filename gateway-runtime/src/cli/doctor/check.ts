import type { LoadedConfiguration } from '../../config/index.ts'
import type { System } from './system.ts'

/** What a check found: `unseen` where it could not look, and why. */
export interface Finding {
  readonly result: 'pass' | 'warn' | 'fail' | 'unseen'
  /** What was seen. */
  readonly reason: string
  /** What to do about it. */
  readonly mend?: string
}

/** What GET /status of a running gateway says, as far as checks ask for it. */
export interface NodeStatus {
  readonly ready: boolean
  readonly draining: boolean
  readonly restarts: number
  readonly configuration: { readonly error: string | null; readonly store_reachable: boolean }
  readonly log_exports: readonly {
    readonly target: string
    readonly log: string
    readonly lost: number
    readonly problem: string | null
  }[]
  readonly targets: readonly {
    readonly upstream: string
    readonly target: string
    readonly circuit: string
    readonly health: string | null
  }[]
}

/** What checks look at. */
export interface Surroundings {
  readonly system: System
  /** Undefined where the files have problems. */
  readonly loaded: LoadedConfiguration | undefined
  /** What is wrong with the files. */
  readonly problem: string | undefined
  /** Undefined where the gateway does not run, or takes no command from here. */
  readonly status: NodeStatus | undefined
  /** Address that DNS names should lead to. */
  readonly virtualIp: string | undefined
  /** `http://10.0.0.1:9090` of each node: what says how many requests it got. */
  readonly nodes: readonly string[]
}

/** One thing that may be wrong with a node, independent of all others. */
export interface Check {
  /** `kernel-version`: for programs, and to ask for it alone. */
  readonly id: string
  /** What is checked, for people. */
  readonly title: string
  run(surroundings: Surroundings): Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>
}

export const pass = (reason: string): Finding => ({ result: 'pass', reason })
export const warn = (reason: string, mend: string): Finding => ({ result: 'warn', reason, mend })
export const fail = (reason: string, mend: string): Finding => ({ result: 'fail', reason, mend })
export const unseen = (reason: string): Finding => ({ result: 'unseen', reason })
