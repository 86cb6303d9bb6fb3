export { lifecycleHooks } from './aws-agent.ts'
export { type HostBootstrap, renderHostBootstrap } from './bootstrap.ts'
export { type AptRepository, type HostDescription, type HostFile, isNetwork } from './description.ts'
export { renderUserData, userDataLimit } from './user-data.ts'
