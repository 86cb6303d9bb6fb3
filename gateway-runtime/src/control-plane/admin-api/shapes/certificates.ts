import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isKeyFile } from '../private-key-files.ts'
import { type Shape, withoutFixed, withoutNulls } from './shape.ts'

const fixed = { cert_alt: null, key_alt: null }

export const certificateShape: Shape = {
  nameKey: 'name',
  minimal: { certificate: '', key: '' },
  toApi({ full }, { loaded }) {
    const { certificate, key, hosts = [] } = full
    return { cert: certificate, key: keyText(loaded.folder, String(key)), ...fixed, snis: hosts }
  },
  fromApi(body, _index, existing) {
    const { cert, snis, ...rest } = withoutNulls(withoutFixed(body, fixed))
    const hosts = snis ?? rest.hosts ?? existing?.hosts
    const isNamed = Array.isArray(hosts) && hosts.length > 0
    const { hosts: _, ...own } = rest
    return { ...own, ...(cert !== undefined && { certificate: cert }), ...(isNamed && { hosts }) }
  },
}

/** A key that the admin API has put into a file is shown as it was given; the name of another file stays one. */
function keyText(folder: string, key: string): string {
  if (!isKeyFile(key)) return key
  try {
    return readFileSync(resolve(folder, key), 'utf8')
  } catch {
    return key
  }
}
