import type { SoakProgress } from './run.ts'

const plainInterval = 30_000

/**
 * Shows how far a run is on stderr: one line that is written anew on a terminal, a line every 30 seconds elsewhere.
 * `duration`: in milliseconds.
 */
export function showProgress(duration: number): { update(progress: SoakProgress): void; end(): void } {
  const { isTTY } = process.stderr
  let nextLine = plainInterval
  return {
    update: (progress) => {
      if (isTTY) process.stderr.write(`\r\x1b[K${line(progress, duration)}`)
      else if (progress.elapsed >= nextLine) {
        nextLine += plainInterval
        process.stderr.write(`${line(progress, duration)}\n`)
      }
    },
    end: () => {
      if (isTTY) process.stderr.write('\r\x1b[K')
    },
  }
}

function line({ elapsed, tally, memory }: SoakProgress, duration: number): string {
  const errors = [...tally.answers].reduce((sum, [status, count]) => sum + (status >= 500 ? count : 0), 0)
  const aborts = Object.values(tally.aborts).reduce((sum, count) => sum + count, 0)
  const parts = [
    elapsed < duration ? `${clock(elapsed)} of ${clock(duration)}` : 'waiting for the last answers',
    `${tally.total} requests`,
    `${Math.round(tally.total / (Math.min(elapsed, duration) / 1_000))}/s`,
    `${aborts} given up`,
    `${errors} 5xx`,
    `${tally.reloads.count} reloads`,
    `${Math.round(memory / 1_048_576)} MiB`,
    `${tally.failureCount} failures`,
  ]
  return `  ${parts.join(' · ')}`
}

function clock(time: number): string {
  const seconds = Math.floor(time / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
