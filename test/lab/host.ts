import { type CommandResult, runOnHost } from '../../scripts/lab/host.ts'
import { neighbourOf, removeLab, startLab } from '../../scripts/lab/lab.ts'
import { missingPackages, whyNoLab } from '../../scripts/lab/requirements.ts'

/** A Debian host of its own: it boots with systemd and has a network that only this machine sees. */
export interface LabHost {
  /** Its address, and that of this machine as it sees it: in 10.231.0.0/16. */
  readonly address: string
  readonly neighbour: string
  /** Runs a script of bash as root; resolves with its exit code and all it wrote. */
  sh(script: string): Promise<CommandResult>
  /** Folder of its file system on this machine. */
  readonly root: string
  stop(): Promise<void>
}

/** Why hosts cannot be booted here; undefined where they can. */
export async function whyNoHosts(): Promise<string | undefined> {
  const missing = await missingPackages()
  return (await whyNoLab()) ?? (missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined)
}

/** Boots a host, which ends with this process at the latest once another lab is started. */
export async function bootHost(): Promise<LabHost> {
  const lab = await startLab({ name: `test-${process.pid}`, hosts: 1, isOwned: true })
  const host = lab.hosts[0]!
  return {
    address: host.address,
    neighbour: neighbourOf(lab),
    root: host.root,
    sh: (script) => runOnHost(host, script),
    stop: () => removeLab(lab),
  }
}
