import type {
  LeaseReply,
  LeaseRequest,
  LimitWindow,
  WindowGrant,
} from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-exchange.ts'

type Claims = Map<string, { readonly sequence: number; readonly claim: number }>

interface WindowState {
  readonly number: number
  readonly claims: Claims
  readonly next: Claims
}

/** What a server knows; `copy` is what a replica gets. */
export class ModelState {
  readonly keys: Map<string, readonly WindowState[]>

  constructor(keys: Map<string, readonly WindowState[]> = new Map()) {
    this.keys = keys
  }

  copy(): ModelState {
    return new ModelState(structuredClone(this.keys))
  }
}

/** Does what the Lua script does, at a time that the test chooses. */
export function execute(
  state: ModelState,
  windows: readonly LimitWindow[],
  request: LeaseRequest,
  time: number,
): LeaseReply {
  return {
    time,
    keys: request.keys.map(({ digest, claims }) => {
      const before = state.keys.get(digest)
      const after: WindowState[] = []
      const grants: WindowGrant[] = []
      for (const [index, { limit, period }] of windows.entries()) {
        const known = before?.[index]
        const number = Math.max(Math.floor(time / period), known?.number ?? 0)
        const isSame = known?.number === number
        const current: Claims = isSame
          ? new Map(known.claims)
          : new Map(known?.number === number - 1 ? known.next : [])
        const next: Claims = isSame ? new Map(known.next) : new Map()
        const isLate = [current, next].some(
          (those) => (those.get(request.nodes.id)?.sequence ?? -1) >= request.sequence,
        )
        if (isLate) return undefined
        const said = claims[index]!
        const heldOf = (of: number) =>
          said.number === of ? said.held : said.number + 1 === of ? said.heldNext : -1
        const a = claim(current, limit, heldOf(number), said.ask, request)
        const b = claim(next, limit, heldOf(number + 1), said.askNext, request)
        after.push({ number, claims: current, next })
        grants.push({
          number,
          ...a,
          claimNext: b.claim,
          grantedNext: b.granted,
          freeNext: b.free,
        })
      }
      state.keys.set(digest, after)
      return grants
    }),
  }
}

function claim(claims: Claims, limit: number, said: number, ask: number, { nodes, sequence }: LeaseRequest) {
  const own = claims.get(nodes.id)
  const held = said < 0 ? (own?.claim ?? 0) : said
  let free = limit - held
  for (const [id, other] of claims) if (id !== nodes.id) free -= other.claim
  for (const id of nodes.reserved)
    free -= Math.max(Math.ceil(limit / nodes.all) - (claims.get(id)?.claim ?? 0), 0)
  const part = Math.max(Math.ceil(free / nodes.all), Math.ceil(limit / (8 * nodes.all)))
  const granted = ask > 0 && free > 0 ? Math.min(ask, free, part) : 0
  if (own || held + granted > 0) claims.set(nodes.id, { sequence, claim: held + granted })
  return { claim: held + granted, granted, free: Math.max(free - granted, 0) }
}
