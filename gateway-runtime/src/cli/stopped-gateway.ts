import {
  type Collection,
  ConfigurationError,
  differences,
  editEntities,
  type FolderContents,
  type LoadedConfiguration,
  maskedChanges,
  replaceConfiguration,
} from '../config/index.ts'
import {
  type Entity,
  entityId,
  getEntity,
  listEntities,
  warningsSince,
} from '../control-plane/admin-api/entities.ts'
import { EntityIndex } from '../control-plane/admin-api/entity-index.ts'
import { get, planAdd, planDelete, planPatch } from '../control-plane/admin-api/plan.ts'
import { describeProblems } from '../control-plane/admin-api/problem.ts'
import { ConfigurationStore } from '../control-plane/configuration-store.ts'
import { type AskedRequest, explainRoute, type RouteExplanation } from '../data-plane/route-explanation.ts'
import { CliError } from './cli-error.ts'
import type { Added, GatewayAccess, Replaced } from './gateway-access.ts'

/** The files of a gateway that does not run; changed only where it could start with the result. */
export class StoppedGateway implements GatewayAccess {
  readonly isRunning = false
  readonly #store: ConfigurationStore

  private constructor(store: ConfigurationStore) {
    this.#store = store
  }

  /** @throws ConfigurationError when the files have problems already */
  static async open(folder: string): Promise<StoppedGateway> {
    const store = new ConfigurationStore(folder, { onSnapshot: async () => {}, onRejected: () => {} })
    const { configuration } = (await store.open()).loaded
    if (configuration.store !== 'files') {
      throw new CliError(
        'gateway-service is not running, and its entities are in a store of all nodes: start it first',
      )
    }
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
      .change((contents, loaded) => {
        const { edits } = planAdd(EntityIndex.of(loaded), collection, entity)
        return editEntities(contents, edits)
      })
      .catch((error) => {
        throw error instanceof ConfigurationError ? new CliError(describeProblems(error)) : error
      })
    return {
      entity: getEntity(next.loaded.shown, collection, entityId(collection, entity)),
      warnings: warningsSince(before, next.loaded.warnings),
    }
  }

  async update(collection: Collection, id: string, patch: Entity, base: Entity): Promise<Added> {
    const before = this.#store.current.loaded.warnings
    const next = await this.#store
      .change((contents, loaded) =>
        editEntities(contents, planPatch(EntityIndex.of(loaded), collection, id, patch).edits),
      )
      .catch((error) => {
        throw error instanceof ConfigurationError ? new CliError(describeProblems(error)) : error
      })
    const key = entityId(collection, { ...base, ...patch })
    return {
      entity: getEntity(next.loaded.shown, collection, key),
      warnings: warningsSince(before, next.loaded.warnings),
    }
  }

  async delete(collection: Collection, id: string): Promise<void> {
    await this.#store.change((contents, loaded) => {
      const index = EntityIndex.of(loaded)
      get(index, collection, id)
      return editEntities(contents, planDelete(index, collection, id).edits)
    })
  }

  async configuration(): Promise<Entity> {
    return this.#shown as Entity
  }

  async replace(
    wanted: Entity,
    { base, dryRun }: { readonly base: Entity; readonly dryRun: boolean },
  ): Promise<Replaced> {
    const edit = (contents: FolderContents, loaded: LoadedConfiguration) =>
      replaceConfiguration(contents, loaded.shown, wanted)
    const before = this.#store.current.loaded.warnings
    const { loaded } = dryRun ? await this.#store.preview(edit) : await this.#store.change(edit)
    const changes = maskedChanges(differences(base, loaded.shown))
    return { changes, warnings: warningsSince(before, loaded.warnings) }
  }

  async explain(request: AskedRequest): Promise<RouteExplanation> {
    return explainRoute(this.#store.current.snapshot.routes, request)
  }

  get #shown(): unknown {
    return this.#store.current.loaded.shown
  }
}
