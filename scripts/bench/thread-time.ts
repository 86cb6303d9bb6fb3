/**
 * Milliseconds of processor time of this thread since `start`, what `process.threadCpuUsage()` said then: other
 * programs on the machine do not count.
 */
export function threadTime(start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start)
  return (user + system) / 1_000
}
