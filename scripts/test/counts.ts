export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Why tests were skipped, with their names. */
  readonly reasons: readonly string[]
}

export const noCounts: Counts = { passed: 0, failed: 0, skipped: 0, reasons: [] }

export const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  reasons: [...a.reasons, ...b.reasons],
})

/** What was skipped and why, a line each, then `N passed, N failed, N skipped`. */
export const closingLines = ({ passed, failed, skipped, reasons }: Counts): string[] => [
  ...reasons,
  `${passed} passed, ${failed} failed, ${skipped} skipped`,
]

/** Ends a command that tested: writes the closing lines, and the exit code is 1 for a failure. */
export function conclude(counts: Counts): void {
  process.stdout.write(`\n${closingLines(counts).join('\n')}\n`)
  process.exitCode = counts.failed > 0 ? 1 : 0
}
