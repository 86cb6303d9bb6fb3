import { setTimeout as sleep } from 'node:timers/promises'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import { AdminService } from './generated/gatehouse/admin/v1/admin_pb.js'
import { Health, HealthCheckResponse_ServingStatus as Status } from './generated/grpc/health/v1/health_pb.js'

const lookInterval = 500

/** Health as gRPC asks for it: that of the node ('') and of the admin service. Nobody need say who they are. */
export function addHealthService(router: ConnectRouter, isReady: () => boolean): void {
  const statusOf = (service: string) => {
    if (service === AdminService.typeName) return Status.SERVING
    if (service !== '') return Status.SERVICE_UNKNOWN
    return isReady() ? Status.SERVING : Status.NOT_SERVING
  }
  router.service(Health, {
    check({ service }) {
      const status = statusOf(service)
      if (status === Status.SERVICE_UNKNOWN) throw new ConnectError('no such service', Code.NotFound)
      return { status }
    },
    async *watch({ service }, { signal }) {
      let last: Status | undefined
      while (!signal.aborted) {
        const status = statusOf(service)
        if (status !== last) yield { status }
        last = status
        await sleep(lookInterval, undefined, { signal }).catch(() => {})
      }
    },
  })
}
