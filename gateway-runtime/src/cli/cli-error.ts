/** Something a person can mend. The message says what was wrong and what to do; no stack is shown. */
export class CliError extends Error {
  /** 1: it did not work; 2: the command was not understood. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
