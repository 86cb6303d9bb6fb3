/**
 * Jest reporter: lists what was skipped with its reason (the part of a test's name after "skipped:"),
 * then closes with the line `N passed, N failed, N skipped`.
 */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.filter((test) => test.status === 'pending').map((test) => test.fullName),
    )
    const brokenFiles = results.testResults.filter((file) => file.testExecError).length
    const lines = skipped.map((name) => `skipped: ${name}`)
    const failed = results.numFailedTests + brokenFiles
    lines.push(`${results.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`)
    process.stdout.write(`\n${lines.join('\n')}\n`)
  }
}
