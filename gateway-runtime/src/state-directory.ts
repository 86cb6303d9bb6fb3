import { join, resolve } from 'node:path'

/**
 * The folder for what a node keeps for itself, such as the admin token; an absolute path. The `--state` option wins;
 * then $STATE_DIRECTORY, which systemd sets (systemd.exec(5): several folders are separated by colons; the first is
 * taken); then /var/lib/gateway for the configuration in /etc/gateway, else `.state` in the configuration folder.
 */
export function stateDirectory(option: string | undefined, configFolder: string): string {
  if (option) return resolve(option)
  const bySystemd = process.env.STATE_DIRECTORY?.split(':')[0]
  if (bySystemd) return resolve(bySystemd)
  const folder = resolve(configFolder)
  return folder === '/etc/gateway' ? '/var/lib/gateway' : join(folder, '.state')
}
