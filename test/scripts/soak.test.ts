import { beforeAll, expect, test } from '@jest/globals'
import { buildGateway } from '../../scripts/build/bundle.ts'
import { soak } from '../../scripts/soak/run.ts'

beforeAll(() => buildGateway(), 60_000)

test('the gateway answers rightly under load while upstreams fail, clients go and routes move', async () => {
  const report = await soak({ duration: 8_000, seed: 1, connections: 20, onProgress: () => {} })
  expect(report.failures).toEqual([])
  expect(report.failureCount).toBe(0)
  expect(report.outcomes['200']).toBeGreaterThan(0)
  expect(report.reloads.count).toBeGreaterThan(0)
  expect(report.faults).toBeGreaterThan(0)
}, 120_000)
