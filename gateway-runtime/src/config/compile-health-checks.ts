import type { HealthChecks } from './health-checks-schema.ts'
import type { ActiveCheck, PassiveCheck } from './snapshot.ts'

/** Undefined where targets are not checked. */
export function compileActiveCheck({ active }: HealthChecks): ActiveCheck | undefined {
  if (!active) return undefined
  const { type, host, tls_verify: tlsVerify = true } = active
  const schedule = {
    interval: active.interval,
    timeout: active.timeout,
    unhealthyAfter: active.unhealthy_after,
    healthyAfter: active.healthy_after,
  }
  switch (type) {
    case 'tcp':
      return { ...schedule, type }
    case 'http':
    case 'https': {
      const { path = '/', expected_statuses: expectedStatuses = [{ from: 200, to: 399 }] } = active
      return { ...schedule, type: 'http', tls: type === 'https', tlsVerify, host, path, expectedStatuses }
    }
    case 'grpc':
    case 'grpcs':
      return {
        ...schedule,
        type: 'grpc',
        tls: type === 'grpcs',
        tlsVerify,
        host,
        service: active.service ?? '',
      }
  }
}

/** Undefined where nothing is concluded from how requests end. */
export function compilePassiveCheck({ passive }: HealthChecks): PassiveCheck | undefined {
  return (
    passive && {
      failurePercent: passive.failure_percent,
      window: passive.window,
      minimumRequests: passive.minimum_requests,
      ejectionTime: passive.ejection_time,
      maxEjectedPercent: passive.max_ejected_percent,
    }
  )
}
