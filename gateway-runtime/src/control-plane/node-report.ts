import { readCircuit } from '../data-plane/upstreams/circuit-breaker.ts'
import { TargetHealth } from '../data-plane/upstreams/health.ts'
import { version } from '../version.ts'
import { describeCertificate } from './admin-api/certificate-resources.ts'
import type { ConfigurationInForce } from './configuration-in-force.ts'
import type { ConfigurationStore } from './configuration-store.ts'
import type { NameState } from './dns/followed-name.ts'
import { isWatched } from './health-checks/health-checks.ts'
import { renderMetrics } from './metrics-text.ts'
import type { NodeRedis } from './redis/node-redis.ts'
import type { StatusSource } from './status-server.ts'
import type { SharedStore } from './stores/shared-store.ts'

/** How often a configuration was put in force, and refused. */
export interface Reloads {
  accepted: number
  rejected: number
}

/** What a node tells of. */
export interface ReportedParts {
  readonly store: ConfigurationStore
  readonly inForce: ConfigurationInForce
  readonly reloads: Readonly<Reloads>
  readonly redis: NodeRedis | undefined
  /** The store of all nodes, where it is not the files of the folder. */
  readonly shared: SharedStore | undefined
}

/** What a node tells of itself. */
export class NodeReport implements StatusSource {
  readonly #parts: ReportedParts
  readonly #startedAt = new Date()

  constructor(parts: ReportedParts) {
    this.#parts = parts
  }

  readiness() {
    const { supervisor, orders, isWhole } = this.#parts.inForce
    const { ready, draining } = supervisor.status
    return {
      ready: ready && isWhole,
      reason: draining ? 'draining' : 'not all workers hold the configuration yet',
      // A certificate that a worker does not show yet is none to the client that it refuses.
      missing: orders.states.flatMap(({ domain, authority }) =>
        authority && supervisor.shownHosts.has(domain) ? [] : [domain],
      ),
    }
  }

  metrics(): string {
    const { inForce, reloads, redis, store } = this.#parts
    const { supervisor, names, orders, logExports } = inForce
    const { workers, restarts } = supervisor.status
    const facts = {
      version,
      workers: workers.length,
      workerRestarts: restarts,
      // Files that are again as they were when they were in force are right, though nothing was put in force.
      reloads: { ...reloads, lastSucceeded: store.lastError === undefined },
      names: names.states,
      redis: redis?.facts,
      certificates: orders.states,
      plugins: supervisor.pluginMetrics,
      logExports: logExports.states,
    }
    return renderMetrics(supervisor.memory, supervisor.snapshot, facts)
  }

  /** What GET /status answers. */
  status(): object {
    const { store, inForce, redis, shared } = this.#parts
    const { supervisor, orders, logExports } = inForce
    return {
      version,
      started_at: this.#startedAt.toISOString(),
      ...supervisor.status,
      configuration: {
        folder: store.folder,
        store: shared?.name ?? 'files',
        store_reachable: shared?.isReachable ?? true,
        error: store.lastError?.message ?? null,
        warnings: store.current.loaded.warnings,
      },
      targets: this.#targets(),
      redis: redis?.facts ?? null,
      log_exports: logExports.states.map(({ backlogBytes, problem, ...state }) => ({
        ...state,
        backlog_bytes: backlogBytes,
        problem: problem ?? null,
      })),
      certificates: orders.states.map(describeCertificate),
    }
  }

  #targets(): readonly object[] | undefined {
    const { supervisor, names } = this.#parts.inForce
    const { states } = names
    return supervisor.snapshot?.upstreams.flatMap((upstream) =>
      upstream.targets.map(({ id, host, port }) => {
        const state = supervisor.memory.targets.get(id)!
        return {
          upstream: upstream.name,
          target: `${host}:${port}`,
          circuit: readCircuit(state).state,
          health: isWatched(upstream) ? new TargetHealth(state).state : null,
          ...describeName(states.get(host)),
        }
      }),
    )
  }
}

/** What is said of a target that has a name. */
const describeName = (state: NameState | undefined) =>
  state && { addresses: state.addresses, dns_error: state.problem ?? null }
