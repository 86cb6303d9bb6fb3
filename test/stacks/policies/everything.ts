import { Gateway, GatewayRepository } from '../../../constructs/index.ts'
import { type Synthesized, synthesizeWhole } from '../../constructs/synthesized.ts'

/** A gateway that has every part which is made only where it is asked for. */
export const everything = (): Synthesized =>
  synthesizeWhole((stack) => {
    const gateway = new Gateway(stack, 'gateway', {
      name: 'gatehouse-all',
      zones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
      configuration: { 'config.yaml': 'workers: auto\n' },
      dnsZone: 'example.com',
      domains: ['api.example.com', '*.api.example.com'],
      certificates: 'acme',
      tags: { team: 'platform' },
      green: { percent: 5, imageId: 'ami-0123456789abcdef0' },
      parts: {
        database: {},
        image: { packagePath: import.meta.filename },
        budget: { monthlyLimit: 1000, tag: { key: 'team', value: 'platform' } },
        alerts: { page: ['oncall@example.com'], tell: ['https://hooks.example.com/tell'] },
        dns: {
          createZone: true,
          dnssec: true,
          authorities: [{ ca: 'letsencrypt.org', validationMethods: ['dns-01'] }],
          routing: { policy: 'latency', region: 'eu-central-1' },
        },
      },
    })
    new GatewayRepository(gateway, 'repository', { name: 'gatehouse-all', key: gateway.key })
  })
