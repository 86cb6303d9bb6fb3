import { runTests } from './test/jest.ts'
import { installTestPrograms } from './test/programs.ts'

/*
 * Deploys to hosts that are booted on this machine, from zero, and puts the cluster through everything that a deployment
 * does, and through drills: a quarter of an hour on two cores. `npm test` runs the first part of it. The last line is that of `npm test`.
 */
await installTestPrograms()
process.env.GATEHOUSE_TEST_LAB = '1'
await runTests(['--verbose', '--runInBand', 'test/lab', ...process.argv.slice(2)])
