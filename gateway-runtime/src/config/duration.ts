import { z } from 'zod'

const factors = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof factors

const pattern = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/
const longest = 2 ** 31 - 1 // what a timer of Node.js can hold: about 24.8 days

/** Reads `5000`, `5000ms`, `5s`, `1.5m`; a bare number is milliseconds. Returns milliseconds, or undefined. */
export function parseDuration(text: string | number): number | undefined {
  const match = pattern.exec(String(text).trim())
  if (!match) return undefined
  return Math.round(Number(match[1]) * factors[(match[2] as Unit | undefined) ?? 'ms'])
}

/** A time in a configuration file: 1 ms to 24.8 days, given as `5000`, `5000ms` or `5s`; milliseconds inside. */
export const duration = z
  .union([z.number(), z.string()])
  .transform((text, context) => {
    const milliseconds = parseDuration(text)
    if (milliseconds !== undefined && milliseconds >= 1 && milliseconds <= longest) return milliseconds
    context.addIssue({
      code: 'custom',
      message: 'expected a time from 1ms to 24d, such as 5000, 5000ms or 5s',
    })
    return z.NEVER
  })
  .meta({ type: ['integer', 'string'], examples: [5000, '5000ms', '5s'] })
