import { type Collection, ConfigurationError } from '../config/index.ts'
import {
  type Entity,
  EntityChanges,
  entityId,
  getEntity,
  listEntities,
  warningsSince,
} from '../control-plane/admin-api/entities.ts'
import { describeProblems } from '../control-plane/admin-api/problem.ts'
import { ConfigurationStore } from '../control-plane/configuration-store.ts'
import { type AskedRequest, explainRoute, type RouteExplanation } from '../data-plane/route-explanation.ts'
import { CliError } from './cli-error.ts'
import type { Added, GatewayAccess } from './gateway-access.ts'

/** The files of a gateway that does not run; changed only where it could start with the result. */
export class StoppedGateway implements GatewayAccess {
  readonly isRunning = false
  readonly #store: ConfigurationStore
  readonly #changes: EntityChanges

  private constructor(store: ConfigurationStore) {
    this.#store = store
    this.#changes = new EntityChanges(store.folder)
  }

  /** @throws ConfigurationError when the files have problems already */
  static open(folder: string): StoppedGateway {
    const store = new ConfigurationStore(folder, { onSnapshot: async () => {}, onRejected: () => {} })
    store.open()
    return new StoppedGateway(store)
  }

  async list(collection: Collection): Promise<readonly Entity[]> {
    return listEntities(this.#shown, collection)
  }

  async get(collection: Collection, id: string): Promise<Entity> {
    return getEntity(this.#shown, collection, id)
  }

  async add(collection: Collection, entity: Entity): Promise<Added> {
    const before = this.#store.current.loaded.warnings
    const next = await this.#store
      .change((contents) => this.#changes.add(contents, collection, entity))
      .catch((error) => {
        throw error instanceof ConfigurationError ? new CliError(describeProblems(error)) : error
      })
    return {
      entity: getEntity(next.loaded.shown, collection, entityId(collection, entity)),
      warnings: warningsSince(before, next.loaded.warnings),
    }
  }

  async delete(collection: Collection, id: string): Promise<void> {
    await this.#store.change((contents) => this.#changes.delete(contents, collection, id))
  }

  async explain(request: AskedRequest): Promise<RouteExplanation> {
    return explainRoute(this.#store.current.snapshot.routes, request)
  }

  get #shown(): unknown {
    return this.#store.current.loaded.shown
  }
}
