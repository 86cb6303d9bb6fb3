import { installEngine } from './engines/install.ts'
import { step } from './terminal/progress.ts'
import { runTests } from './test/jest.ts'

// The synth tests with CDK Terrain in place of cdktf; `npm test` runs them as well.
await step('Install CDK Terrain', () => installEngine('cdktn'))
await runTests(['--verbose', 'test/engines/cdktn', ...process.argv.slice(2)])
