import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../process/tool.ts'
import { type Counts, conclude, noCounts } from './counts.ts'

const longest = 36 * 60_000

/** The parts of Jest's JSON report that are counted. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  /** Files that could not be run at all. */
  readonly numRuntimeErrorTestSuites: number
  readonly testResults: readonly { readonly assertionResults: readonly Assertion[] }[]
}

interface Assertion {
  readonly fullName: string
  readonly status: string
}

/** Runs Jest with these arguments, showing what it writes, and counts; a run without a report is one failure. */
export async function runJest(args: readonly string[]): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-jest-'))
  const reportFile = join(directory, 'report.json')
  try {
    const { code } = await runTool('jest', ['--json', `--outputFile=${reportFile}`, ...args], {
      nodeArguments: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      show: true,
      limit: longest,
    })
    if (code === undefined)
      process.stdout.write(`\nThe tests were ended after ${longest / 60_000} minutes.\n`)
    const report: Report | undefined = await readFile(reportFile, 'utf8').then(JSON.parse, () => undefined)
    return report ? count(report, code) : { ...noCounts, failed: 1 }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs Jest with these arguments as the whole of a command: the last line counts, the exit code is 1 for a failure. */
export async function runTests(args: readonly string[]): Promise<void> {
  conclude(await runJest(args))
}

function count(report: Report, code: number | undefined): Counts {
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed, // such as: no test was found
    skipped: report.numPendingTests + report.numTodoTests,
    reasons: report.testResults.flatMap((file) => file.assertionResults).flatMap(skipReason),
  }
}

/** Of tests that are skipped for a reason their name ends in `(skipped: REASON)`. */
const skipReason = ({ fullName, status }: Assertion) =>
  status === 'pending' && /\(skipped: .+\)$/.test(fullName) ? [fullName] : []
