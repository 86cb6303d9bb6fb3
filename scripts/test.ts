import { buildGateway } from './build/bundle.ts'
import { installEngine } from './engines/install.ts'
import { runTool } from './process/tool.ts'
import { step } from './terminal/progress.ts'
import { add, type Counts, conclude, noCounts } from './test/counts.ts'
import { runJest } from './test/jest.ts'
import { installTestPrograms } from './test/programs.ts'

/*
 * All that a change must pass: types, lint, build, tests. One that fails does not keep the others from running.
 * The last line is `N passed, N failed, N skipped`; types, lint and build count as one each.
 */

async function check(title: string, work: () => Promise<unknown>): Promise<Counts> {
  try {
    await step(title, work)
    return { ...noCounts, passed: 1 }
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : error}\n`)
    return { ...noCounts, failed: 1 }
  }
}

async function mustSucceed(tool: 'tsc' | 'biome', args: readonly string[]): Promise<void> {
  const { code, output } = await runTool(tool, args)
  if (code !== 0) throw new Error(output.trim() || `${tool} ended with ${code ?? 'a signal'}`)
}

await installTestPrograms()
const engines = await check('Install the other engines', async () => {
  await installEngine('cdktn')
  await installEngine('pulumi')
})
const results = [
  engines,
  await check('Check types', () => mustSucceed('tsc', ['-p', '.'])),
  await check('Check style', () => mustSucceed('biome', ['check', '--error-on-warnings', '--colors=off'])),
  await check('Build', buildGateway),
  await runJest(process.argv.slice(2)),
]
conclude(results.reduce(add))
