import { expect, test } from '@jest/globals'
import { ratesBetween, readCounters } from '../../../gateway-runtime/src/cli/top-command.ts'

const page = (ok: number, failed: number, fast: number, all: number) => `
gatehouse_route_requests_total{route="a",service="s",code="2xx"} ${ok}
gatehouse_route_requests_total{route="a",service="s",code="5xx"} ${failed}
gatehouse_route_request_duration_seconds_bucket{route="a",service="s",le="0.01"} ${fast}
gatehouse_route_request_duration_seconds_bucket{route="a",service="s",le="0.1"} ${all}
gatehouse_route_request_duration_seconds_bucket{route="a",service="s",le="+Inf"} ${all}
gatehouse_route_request_duration_seconds_bucket{route="idle",service="s",le="+Inf"} 0
`

test('rates are those between two scrapes', () => {
  const [busy, idle] = ratesBetween(
    readCounters(page(100, 0, 100, 100)),
    readCounters(page(190, 10, 150, 200)),
    2,
  )
  expect(busy).toMatchObject({ route: 'a', requests_per_second: 50, error_percent: 10 })
  expect(busy!.p50).toBeCloseTo(0.01)
  expect(busy!.p99).toBeCloseTo(0.0982)
  expect(idle).toMatchObject({ route: 'idle', requests_per_second: 0, p99: null })
})
