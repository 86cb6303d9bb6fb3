import { z } from 'zod'
import { definePlugin } from '../contract.ts'
import { isNetwork, NetworkSet } from './network-set.ts'

/** The networks of a list, a line each; what stands behind # is left out. */
const linesOf = (text: string): string[] => text.split('\n').map((line) => line.replace(/#.*/, '').trim())

const networks = z
  .array(
    z
      .string()
      .superRefine((text, { addIssue }) => {
        const lines = linesOf(text)
        const wrong = lines.findIndex((line) => line !== '' && !isNetwork(line))
        if (wrong < 0) return
        const where = lines.length > 1 ? ` in line ${wrong + 1}` : ''
        addIssue(`expected an address or a network${where}, such as 192.0.2.1 or 10.0.0.0/8`)
      })
      .transform((text) => linesOf(text).filter((line) => line !== '')),
  )
  .min(1)
  .max(100_000)
  .transform((lists) => lists.flat())
  .optional()

/** Lets clients in by their addresses. What it costs does not grow with the number of networks. */
export const ipRestriction = definePlugin({
  name: 'ip-restriction',
  order: 990,
  description:
    'Lets in clients of certain addresses and networks, or all but those of certain ones; answers 403 to others.',
  config: z
    .strictObject({
      allow: networks.describe(
        'Addresses and networks (10.0.0.0/8, 2001:db8::/32) that alone are let in. An entry may be the text of a file, by a reference to it, with one in each line.',
      ),
      deny: networks.describe('Addresses and networks that are kept out, whatever allow says.'),
      status: z.int().min(400).max(599).default(403).describe('Status of the answer to others.'),
      message: z
        .string()
        .min(1)
        .max(1_000)
        .default('Your address may not use this.')
        .describe('What the answer to others says.'),
    })
    .refine(({ allow, deny }) => allow || deny, { message: 'ip-restriction needs allow, deny, or both' }),
  examples: [{ allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.0.0.66'] }],
  counters: { refused: 'Requests from addresses that may not make them.' },
  create(config, gateway) {
    const allow = config.allow && new NetworkSet(config.allow)
    const deny = config.deny && new NetworkSet(config.deny)
    const refusal = { status: config.status, code: 'address-refused', detail: config.message }
    return {
      onRequest({ clientAddress, routeName, requestId }) {
        const blocked = deny?.find(clientAddress)
        if (blocked === undefined && (!allow || allow.find(clientAddress) !== undefined)) return undefined
        gateway.count('refused')
        gateway.log('warn', 'address refused', {
          address: clientAddress,
          rule: blocked === undefined ? 'allow' : `deny ${blocked}`,
          route: routeName,
          request_id: requestId,
        })
        return refusal
      },
    }
  },
})
