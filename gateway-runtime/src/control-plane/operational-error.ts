/** A failure that the operator can mend: its message says what and where, and a stack would tell nothing more. */
export class OperationalError extends Error {
  override readonly name = 'OperationalError'
}
