import { z } from '@gatehouse/gateway-runtime/config'
import { isNetwork, isPackageVersion } from '../constructs/host-bootstrap/index.ts'

/* What environments of several targets have in common. */

export const network = z.string().refine(isNetwork, 'expected a network such as 10.0.0.0/8')
export const networks = z.array(network).max(64).default([])
export const domain = z
  .string()
  .regex(
    /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    'expected a host name such as api.example.com',
  )

const aptRepository = z.strictObject({
  url: z
    .string()
    .regex(/^https?:\/\//, 'expected an http or https address')
    .describe('Base address of the repository; signed, so that http does no harm.'),
  suite: z.string().default('stable'),
  component: z.string().default('main'),
  signing_key: z
    .string()
    .describe('File with the public key of the repository, ASCII-armoured, in this folder.'),
  version: z
    .string()
    .refine(isPackageVersion, 'expected a version such as 1.2.3')
    .optional()
    .describe('Version of gateway-runtime; the newest when a host is set up, which then stays.'),
})

export const hosted = {
  management_networks: networks.describe('Networks that may reach SSH and the admin API on 8444.'),
  monitoring_networks: networks.describe('Networks that may reach metrics on 9090.'),
  apt_repository: aptRepository
    .optional()
    .describe('Where the package gateway-runtime comes from; without it, it must be in the image.'),
}
export const isDistinct = (values: readonly string[]) => new Set(values).size === values.length
