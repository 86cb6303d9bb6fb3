import { z } from 'zod'
import { definePlugin, type Reply } from '../contract.ts'

const refusal: Reply = { status: 403, code: 'bot', detail: 'Automated clients of this kind are not served.' }

/** What scanners and harvesters call themselves; parts of User-Agent, in lower case. */
const knownBots = [
  'acunetix',
  'ahrefsbot',
  'blexbot',
  'dirbuster',
  'dotbot',
  'fimap',
  'gobuster',
  'havij',
  'masscan',
  'mj12bot',
  'nessus',
  'netsparker',
  'nikto',
  'nmap',
  'nuclei',
  'openvas',
  'petalbot',
  'semrushbot',
  'sqlmap',
  'wpscan',
  'zgrab',
  'zmeu',
] as const

const part = z
  .string()
  .min(1)
  .max(256)
  .transform((text) => text.toLowerCase())

/** Keeps out clients by what they call themselves. Those who lie pass: this is for the many who do not. */
export const botDetection = definePlugin({
  name: 'bot-detection',
  order: 2500,
  description: 'Answers 403 to known scanners and harvesters, by User-Agent.',
  config: z.strictObject({
    deny: z.array(part).max(1_000).default([]).describe('More of them: parts of User-Agent, in any case.'),
    allow: z.array(part).max(1_000).default([]).describe('Parts of User-Agent that are let in all the same.'),
    deny_empty: z.boolean().default(false).describe('Whether requests without User-Agent are refused too.'),
  }),
  examples: [{ deny: ['badbot'], allow: ['good-scanner'] }],
  counters: { refused: 'Requests of bots that were refused.' },
  create(config, gateway) {
    const denied = [...knownBots, ...config.deny]
    const isBot = (agent: string) => {
      if (agent === '') return config.deny_empty
      const has = (text: string) => agent.includes(text)
      return denied.some(has) && !config.allow.some(has)
    }
    return {
      onRequest({ request }) {
        if (!isBot((request.header('user-agent') ?? '').toLowerCase())) return undefined
        gateway.count('refused')
        return refusal
      },
    }
  },
})
