import { isMapping } from '../../../config/merge.ts'
import {
  listOrNull,
  others,
  reference,
  referredName,
  type Shape,
  withoutFixed,
  withoutNulls,
} from './shape.ts'

const fixed = {
  protocols: ['http', 'https'],
  snis: null,
  sources: null,
  destinations: null,
  path_handling: 'v0',
  https_redirect_status_code: 426,
  request_buffering: true,
  response_buffering: true,
}
const shown = [
  ...['id', 'name', 'tags', 'methods', 'hosts', 'paths', 'headers', 'service'],
  ...['strip_path', 'preserve_host', 'priority'],
]

export const routeShape: Shape = {
  nameKey: 'name',
  minimal: { service: 'x', paths: ['/'] },
  toApi({ entity, full }, index) {
    const { methods, hosts, paths, headers } = full
    return {
      ...fixed,
      methods: listOrNull(methods),
      hosts: listOrNull(hosts),
      paths: listOrNull(paths),
      headers: isMapping(headers) && Object.keys(headers).length > 0 ? headers : null,
      service: reference(index, 'services', full.service),
      strip_path: full.strip_path,
      preserve_host: full.preserve_host,
      regex_priority: full.priority,
      ...others(entity, shown),
    }
  },
  fromApi(body, index) {
    const { service, regex_priority, strip_path, ...rest } = withoutNulls(withoutFixed(body, fixed))
    const name = referredName(index, 'services', 'service', service)
    // Where the whole path is said, none is cut off; saying so is refused where it would have an effect.
    const isImplied = (rest.rewrite ?? rest.redirect) !== undefined && strip_path === true
    return {
      ...rest,
      ...(name !== undefined && { service: name }),
      ...(strip_path !== undefined && !isImplied && { strip_path }),
      ...(regex_priority !== undefined && { priority: regex_priority }),
    }
  },
}
