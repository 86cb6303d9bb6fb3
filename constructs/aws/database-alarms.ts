import type { Construct } from 'constructs'
import { Alarm, type AlarmTopics } from './alarm.ts'

/** Alarms for the configuration database: CPU, space, connections. */
export function createDatabaseAlarms(
  scope: Construct,
  options: { name: string; identifier: string; storage: number; topics: AlarmTopics | undefined },
) {
  const { name, identifier, storage, topics } = options
  const metric = (metricName: string) => ({
    namespace: 'AWS/RDS',
    name: metricName,
    dimensions: { DBInstanceIdentifier: identifier },
    statistic: 'Average',
  })
  new Alarm(scope, 'database-cpu', {
    name,
    topics,
    severity: 'tell',
    description: `The configuration database ${identifier} is at its CPU. Nodes serve on; changes are slow`,
    metric: metric('CPUUtilization'),
    comparison: '>',
    threshold: 80,
    periods: 10,
  })
  new Alarm(scope, 'database-space', {
    name,
    topics,
    severity: 'page',
    description: `The configuration database ${identifier} has less than a tenth of its space left`,
    metric: metric('FreeStorageSpace'),
    comparison: '<',
    threshold: storage * 1024 ** 3 * 0.1,
    periods: 5,
  })
  new Alarm(scope, 'database-memory', {
    name,
    topics,
    severity: 'tell',
    description: `The configuration database ${identifier} has less than 256 MiB of memory left: take a larger class`,
    metric: metric('FreeableMemory'),
    comparison: '<',
    threshold: 256 * 1024 ** 2,
    periods: 10,
  })
}
