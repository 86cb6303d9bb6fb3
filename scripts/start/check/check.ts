import { green, red } from '../../terminal/style.ts'
import { table } from '../../terminal/table.ts'

/** Something that is tried on the running gateway; it holds when what was seen is just what was expected. */
export interface Check {
  readonly tried: string
  readonly expected: string
  see(): Promise<string>
}

interface Outcome extends Pick<Check, 'tried' | 'expected'> {
  readonly saw: string
}

const holds = ({ expected, saw }: Outcome) => expected === saw

/** Longest time for one check, in milliseconds. */
const limit = 15_000

/** Tries one after the other; prints a table. Returns what did not hold, as `tried: expected …, saw …`. */
export async function runChecks(checks: readonly Check[], interrupted: AbortSignal): Promise<string[]> {
  const outcomes: Outcome[] = []
  for (const { tried, expected, see } of checks) {
    interrupted.throwIfAborted()
    outcomes.push({ tried, expected, saw: await withinLimit(see).catch(describeError) })
  }
  const rows = outcomes.map((outcome) => [
    holds(outcome) ? green('✓') : red('✗'),
    outcome.tried,
    outcome.expected,
    outcome.saw,
  ])
  process.stdout.write(`\n${table(['', 'tried', 'expected', 'saw'], rows)}\n\n`)
  return outcomes
    .filter((outcome) => !holds(outcome))
    .map(({ tried, expected, saw }) => `${tried}: expected ${expected}, saw ${saw}`)
}

async function withinLimit(see: () => Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`nothing within ${limit} ms`), limit)
  })
  try {
    return await Promise.race([see(), late])
  } finally {
    clearTimeout(timer)
  }
}

const describeError = (error: unknown) =>
  error instanceof Error ? error.message.split('\n')[0]! : String(error)
