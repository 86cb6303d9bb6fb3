export { freePort, freePorts } from '../../scripts/process/free-port.ts'
