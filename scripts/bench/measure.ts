/** What is found out in a round. Times in microseconds, memory in bytes; idle connections have only memory. */
export type Figure = 'cpuPerRequest' | 'requestsPerSecond' | 'p50' | 'p99' | 'memory' | 'memoryPerConnection'
export type Sample = Readonly<Partial<Record<Figure, number>>>

export interface Turns<Subject> {
  readonly rounds: number
  readonly onRound: (round: number, subject: Subject) => void
  /** One round against one subject; what it throws ends the subject's part, not the others'. */
  readonly sample: (subject: Subject) => Promise<Sample>
}

export interface Measured<Subject> {
  readonly samples: ReadonlyMap<Subject, readonly Sample[]>
  readonly failed: ReadonlyMap<Subject, string>
}

/**
 * Measures the subjects in turn, the order changing from round to round, so that a machine that gets slower or
 * faster does so for all. Who fails in one round is left out of all: part of the figures would say nothing.
 */
export async function measureInTurn<Subject>(
  subjects: readonly Subject[],
  { rounds, onRound, sample }: Turns<Subject>,
): Promise<Measured<Subject>> {
  const samples = new Map(subjects.map((subject) => [subject, [] as Sample[]]))
  const failed = new Map<Subject, string>()
  for (let round = 1; round <= rounds; round++) {
    for (const subject of round % 2 === 1 ? subjects : subjects.toReversed()) {
      if (failed.has(subject)) continue
      onRound(round, subject)
      try {
        samples.get(subject)!.push(await sample(subject))
      } catch (error) {
        failed.set(subject, error instanceof Error ? error.message : String(error))
        samples.delete(subject)
      }
    }
  }
  return { samples, failed }
}
