import { join } from 'node:path'
import { parseYamlFile, z } from '@gatehouse/gateway-runtime/config'

const price = z.number().min(0)
const priceSchema = z.strictObject({
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a date such as 2026-11-01'),
  currency: z.string(),
  region: z.string(),
  instances: z.record(z.string(), price),
  redis_nodes: z.record(z.string(), price),
  databases: z.record(z.string(), price),
  load_balancer: price,
  nat_gateway: price,
  interface_endpoint: price,
  public_address: price,
  key: price,
  secret: price,
  alarm: price,
  dashboard: price,
  custom_metric: price,
  hosted_zone: price,
  health_check: price,
  volume_gib: price,
  volume_iops: price,
  volume_throughput: price,
  database_gib: price,
  instance_monitoring: price,
  traffic: z.record(z.string(), price),
})

export type Prices = z.output<typeof priceSchema>

/**
 * The price table of this repository.
 * @throws ConfigurationError with file, line and column when it is malformed
 */
export const readPrices = (file = join(import.meta.dirname, 'prices.yaml')): Prices =>
  parseYamlFile(file, priceSchema)
