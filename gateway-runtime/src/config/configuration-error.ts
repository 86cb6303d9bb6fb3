/** One thing that is wrong in a configuration, and where. */
export interface Problem {
  /** Name of the file in its folder, or the path that was given. */
  readonly file: string
  /** From 1; 0 where it is the file or folder as a whole. */
  readonly line: number
  readonly column: number
  /** Keys and indices within the file, such as `routes.2.paths.0`; '' for the file as a whole. */
  readonly path: string
  /** What is wrong and, where it helps, what to do. Never holds the value of a `${env:}` or `${file:}` reference. */
  readonly message: string
  /** The entity that it belongs to; plugins are named as by `pluginId`. */
  readonly entity?: { readonly collection: string; readonly name: string }
}

/** What problems are collected up to; a file with more is usually wrong in one way throughout. */
export const mostProblems = 100

/** A configuration that cannot be used. The message has a line for each problem: `services.yaml:4:5: unknown key …`. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly code = 'invalid-configuration'
  readonly problems: readonly Problem[]

  /** `omitted`: how many more problems there are than those given. */
  constructor(problems: readonly Problem[], omitted = 0) {
    const lines = problems.map(formatProblem)
    if (omitted > 0) lines.push(`… and ${omitted} more ${omitted === 1 ? 'problem' : 'problems'}`)
    super(lines.join('\n'))
    this.problems = problems
  }
}

/** A line for people: `services.yaml:4:5: unknown key …`. */
export const formatProblem = ({ file, line, column, message }: Problem) =>
  line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`

/** Collects problems, the first hundred; the messages of others are not even made. */
export class ProblemList {
  readonly #files: readonly string[]
  readonly #problems: Problem[] = []
  #omitted = 0

  /** `files`: the order that problems of several files are given in. */
  constructor(files: readonly string[] = []) {
    this.#files = files
  }

  /** The problem is made only where it is kept. */
  add(problem: () => Problem): void {
    if (this.#problems.length < mostProblems) this.#problems.push(problem())
    else this.#omitted++
  }

  /** Runs something that may throw a ConfigurationError, and takes over its problems. */
  collect<Result>(run: () => Result): Result | undefined {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      for (const problem of error.problems) this.add(() => problem)
      return undefined
    }
  }

  /** @throws ConfigurationError with all problems, by file and place, if there are any */
  throwIfAny(): void {
    if (this.#problems.length === 0) return
    const rank = ({ file }: Problem) => this.#files.indexOf(file)
    const sorted = this.#problems.toSorted(
      (a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column,
    )
    throw new ConfigurationError(sorted, this.#omitted)
  }
}
