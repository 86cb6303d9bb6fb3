import { installEngine } from './engines/install.ts'
import { step } from './terminal/progress.ts'
import { closingLines } from './test/counts.ts'
import { runJest } from './test/jest.ts'

// The synth tests with CDK Terrain in place of cdktf; `npm test` runs them as well.
await step('Install CDK Terrain', () => installEngine('cdktn'))
const counts = await runJest(['--verbose', 'test/engines/cdktn', ...process.argv.slice(2)])
process.stdout.write(`\n${closingLines(counts).join('\n')}\n`)
process.exitCode = counts.failed > 0 ? 1 : 0
