import type { IConstruct } from 'constructs'

/** A construct was given something that it cannot build; the message begins with the path of the construct. */
export class ConstructError extends Error {
  override readonly name = 'ConstructError'
  readonly path: string

  constructor(scope: IConstruct, problems: readonly string[]) {
    super(`${scope.node.path}: ${problems.join('; ')}`)
    this.path = scope.node.path
  }
}

/**
 * Checks the props of a construct, and names all that is wrong at once.
 * @param rules what must hold → what to say when it does not: field, values allowed, value got
 * @throws ConstructError
 */
export function checkProps(
  scope: IConstruct,
  rules: readonly (readonly [holds: boolean, problem: string])[],
) {
  const problems = rules.filter(([holds]) => !holds).map(([, problem]) => problem)
  if (problems.length > 0) throw new ConstructError(scope, problems)
}

/** Runs a pure function, and gives its error the path of the construct. */
export function withPath<Result>(scope: IConstruct, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    throw new ConstructError(scope, [error instanceof Error ? error.message : String(error)])
  }
}
