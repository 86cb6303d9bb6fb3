import type { Collection, EntityChange, Problem } from '../config/index.ts'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import type { AskedRequest, RouteExplanation } from '../data-plane/route-explanation.ts'
import { readAdminAddress } from './admin-address.ts'
import { RunningGateway } from './running-gateway.ts'
import type { Settings } from './settings.ts'
import { StoppedGateway } from './stopped-gateway.ts'

export interface Added {
  /** As it is now. */
  readonly entity: Entity
  /** Of the configuration as a whole, brought by this entity. */
  readonly warnings: readonly Problem[]
}

export interface Replaced {
  readonly changes: readonly EntityChange[]
  readonly warnings: readonly Problem[]
}

/** Where entities are looked up and changed: at the running gateway, or in the files of one that is stopped. */
export interface GatewayAccess {
  readonly isRunning: boolean
  list(collection: Collection): Promise<readonly Entity[]>
  get(collection: Collection, id: string): Promise<Entity>
  add(collection: Collection, entity: Entity): Promise<Added>
  /**
   * Changes single keys of an entity by a merge patch (RFC 7396). Refused where it is no longer `base`.
   */
  update(collection: Collection, id: string, patch: Entity, base: Entity): Promise<Added>
  delete(collection: Collection, id: string): Promise<void>
  /** The configuration in the words of files. */
  configuration(): Promise<Entity>
  /**
   * Makes the configuration another one, in one step. What was changed by somebody else since `base` was read is not
   * lost: then this is refused.
   */
  replace(wanted: Entity, options: { readonly base: Entity; readonly dryRun: boolean }): Promise<Replaced>
  /** Says which route a request takes. */
  explain(request: AskedRequest): Promise<RouteExplanation>
}

/** The running gateway of a folder; its files where none listens. */
export async function openGateway(settings: Settings): Promise<GatewayAccess> {
  return (await findRunningGateway(settings)) ?? StoppedGateway.open(settings.configFolder)
}

/** Undefined where nothing listens on the admin address of the folder. */
export const findRunningGateway = ({
  configFolder,
  stateFolder,
}: Settings): Promise<RunningGateway | undefined> =>
  RunningGateway.find(readAdminAddress(configFolder), stateFolder)
