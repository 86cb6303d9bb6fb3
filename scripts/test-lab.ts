import { closingLines } from './test/counts.ts'
import { runJest } from './test/jest.ts'
import { installTestPrograms } from './test/programs.ts'

/*
 * Deploys to hosts that are booted on this machine, from zero, and puts the cluster through everything that a deployment
 * does, and through drills: a quarter of an hour on two cores. `npm test` runs the first part of it. The last line is that of `npm test`.
 */
await installTestPrograms()
process.env.GATEHOUSE_TEST_LAB = '1'
const counts = await runJest([
  '--verbose',
  '--runInBand',
  '--forceExit',
  'test/lab',
  ...process.argv.slice(2),
])
process.stdout.write(`\n${closingLines(counts).join('\n')}\n`)
process.exitCode = counts.failed > 0 ? 1 : 0
