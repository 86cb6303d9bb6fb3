import { version } from './version.ts'

/** What `gateway --help` shows. */
export const usage = `gateway ${version}: the API gateway's service

Usage: gateway [--config DIR] [--state DIR]

  --config DIR   folder with config.yaml and services.yaml   (default: /etc/gateway)
  --state DIR    folder for the admin token and other state  (default: $STATE_DIRECTORY, /var/lib/gateway
                 for /etc/gateway, else DIR/.state of the configuration)
  --version      print the version
  --help         print this

Signals: SIGHUP reads configuration and certificates again, SIGUSR1 reopens the logs, SIGUSR2 lets a new process
take over, SIGTERM and SIGINT finish the requests in flight and stop.
`
