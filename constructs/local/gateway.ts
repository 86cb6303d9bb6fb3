import { createHash } from 'node:crypto'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { literal, TerraformData } from '../terraform.ts'
import type { LocalControl } from './control.ts'

export interface LocalGatewayProps {
  /** Configuration files by name (`config.yaml`, `services.yaml`). */
  readonly configuration: Readonly<Record<string, string>>
  /** Folder for configuration, state and logs of this gateway; absolute. It is kept when the gateway is destroyed. */
  readonly directory: string
  /** Program `gateway`, absolute path; must be there when Terraform applies. */
  readonly program: string
  /**
   * Port of /readyz in that configuration.
   * @default 9090
   */
  readonly statusPort?: number
}

const control = fileURLToPath(new URL('control.ts', import.meta.url))

/**
 * A gateway on this machine, without root: applying starts it in the background and waits until it is ready,
 * destroying stops it. It is started anew when its configuration changes.
 * @throws ConstructError when a path is not absolute
 */
export class LocalGateway extends Construct {
  constructor(scope: Construct, id: string, props: LocalGatewayProps) {
    super(scope, id)
    const { configuration, directory, program, statusPort = 9090 } = props
    checkProps(this, [
      [isAbsolute(directory), `directory: expected an absolute path, got ${JSON.stringify(directory)}`],
      [isAbsolute(program), `program: expected an absolute path, got ${JSON.stringify(program)}`],
      ['config.yaml' in configuration, 'configuration: config.yaml is missing'],
    ])
    const files = JSON.stringify(configuration)
    const environment: Record<keyof LocalControl, string> = {
      GATEWAY_PROGRAM: literal(program),
      GATEWAY_DIRECTORY: literal(directory),
      GATEWAY_FILES: literal(files),
      GATEWAY_STATUS_PORT: String(statusPort),
    }
    const run = { type: 'local-exec' as const, interpreter: [process.execPath, control], environment }
    new TerraformData(this, 'process', {
      triggersReplace: {
        configuration: createHash('sha256').update(files).digest('hex'),
        program,
        directory,
      },
      provisioners: [
        { ...run, command: 'start' },
        { ...run, command: 'stop', when: 'destroy' },
      ],
    })
  }
}
