import { z } from 'zod'
import { definePlugin, type Reply } from '../contract.ts'

const refusal: Reply = {
  status: 403,
  code: 'group-not-allowed',
  detail: 'You are known here, but may not do this: ask for access to it.',
}
const unknownClient: Reply = {
  status: 403,
  code: 'no-consumer',
  detail: 'Only clients that are known may do this: show credentials.',
}

const groups = z.array(z.string().min(1).max(128)).min(1).max(1_000).optional()

/** Lets consumers in by their groups; stands behind the authentication plugins, which find the consumer out. */
export const acl = definePlugin({
  name: 'acl',
  order: 950,
  description:
    'Lets in consumers of certain groups, or all but those of certain groups; answers 403 to others.',
  config: z
    .strictObject({
      allow: groups.describe('Groups of which a consumer needs one.'),
      deny: groups.describe('Groups of which a consumer may have none, whatever allow says.'),
    })
    .refine(({ allow, deny }) => allow || deny, { message: 'acl needs allow, deny, or both' }),
  examples: [{ allow: ['gold', 'staff'] }],
  counters: { refused: 'Requests of clients that may not do what they asked for.' },
  create(config, gateway) {
    const allow = config.allow && new Set(config.allow)
    const deny = new Set(config.deny)
    return {
      onRequest({ consumer, routeName, requestId }) {
        const blocked = consumer?.groups.find((group) => deny.has(group))
        const passes =
          consumer && blocked === undefined && (!allow || consumer.groups.some((group) => allow.has(group)))
        if (passes) return undefined
        gateway.count('refused')
        gateway.log('warn', 'consumer refused', {
          consumer: consumer?.name ?? 'none',
          rule: blocked === undefined ? 'allow' : `deny ${blocked}`,
          route: routeName,
          request_id: requestId,
        })
        return consumer ? refusal : unknownClient
      },
    }
  },
})
