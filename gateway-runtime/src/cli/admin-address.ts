import { parseDocument } from 'yaml'
import { configurationSchema, readFolder } from '../config/index.ts'
import { interpolate } from '../config/interpolation.ts'
import { CliError } from './cli-error.ts'

/** Where the gateway of a folder listens for changes. */
export interface AdminAddress {
  readonly host: string
  readonly port: number
}

/**
 * Reads the section `admin` alone, so that a running gateway can be reached whatever else is wrong in the files, or
 * needs variables that only the gateway has.
 * @throws ConfigurationError when the files cannot be read; CliError when the section is wrong
 */
export function readAdminAddress(folder: string): AdminAddress {
  for (const [file, text] of readFolder(folder)) {
    const section: unknown = parseDocument(text, { logLevel: 'silent' }).toJS()?.admin
    if (section === undefined || section === null) continue
    const value = interpolate(section, folder, (_path, message) => {
      throw new CliError(`${file}: admin: ${message}`)
    })
    const result = configurationSchema.shape.admin.safeParse(value)
    if (!result.success) {
      throw new CliError(`${file}: the section "admin" is wrong; gateway-cli config validate says where`)
    }
    return result.data
  }
  return configurationSchema.shape.admin.parse(undefined)
}
