export { lifecycleHooks } from './aws-agent.ts'
export { type HostBootstrap, renderHostBootstrap } from './bootstrap.ts'
export {
  type AptRepository,
  type HostDescription,
  type HostFile,
  isNetwork,
  isPackageVersion,
} from './description.ts'
export { type DnsRecords, dnsProblems, dnsSecret } from './dns.ts'
export type { EdgeRole, VirtualIp } from './edge.ts'
export { leaveProgram } from './leave.ts'
export { type RedisRole, type RedisServer, redisSettings } from './redis.ts'
export { secretNames } from './secrets.ts'
export { renderUserData, userDataLimit } from './user-data.ts'
