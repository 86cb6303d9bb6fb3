import { isMapping } from '../../../config/merge.ts'
import type { Entity } from '../entities.ts'
import { FieldRefused } from '../shapes/shape.ts'

/** Whether a document is an OpenAPI description, version 3. */
export const isOpenApi = (document: Entity): boolean => typeof document.openapi === 'string'

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query']

/**
 * A service and its routes from an OpenAPI description (versions 3.0 and 3.1): the service is its first server, a
 * route is a path with the methods that it has. Templates in paths become regular expressions.
 * @throws FieldRefused where it has no server with an address
 */
export function fromOpenApi(document: Entity): Entity {
  const { title = 'api' } = (document.info ?? {}) as { readonly title?: string }
  const service = nameFrom(title)
  const [server] = (document.servers ?? []) as readonly {
    readonly url?: string
    readonly variables?: Entity
  }[]
  const url = URL.parse(withVariables(server?.url ?? '', server?.variables ?? {}))
  if (!url)
    throw new FieldRefused('servers', 'the first one needs a whole url, such as https://api.example.com/v1')
  const paths = isMapping(document.paths) ? document.paths : {}
  const routes = Object.entries(paths).flatMap(([path, item]) => {
    const found = methods.filter((method) => isMapping(item) && isMapping(item[method]))
    if (found.length === 0) return []
    return [
      {
        name: nameFrom(`${service}-${path}`),
        service,
        paths: [pathFrom(path)],
        methods: found.map((method) => method.toUpperCase()),
        strip_path: false,
      },
    ]
  })
  const base = url.pathname.replace(/\/+$/, '')
  return { services: [{ name: service, url: `${url.protocol}//${url.host}${base}` }], routes }
}

const withVariables = (url: string, variables: Entity): string =>
  url.replace(/\{([^}]*)\}/g, (whole, name: string) => {
    const variable = variables[name]
    return isMapping(variable) && variable.default !== undefined ? String(variable.default) : whole
  })

/** `/pets/{id}` is a regular expression with a group of that name; a path without a template is itself alone. */
function pathFrom(path: string): string {
  if (!path.includes('{')) return `=${path}`
  const pattern = path
    .split(/(\{[^}]*\})/)
    .map((part, index) =>
      index % 2 === 1 ? group(part.slice(1, -1)) : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('')
  return `~${pattern}$`
}

const group = (name: string) => (/^[A-Za-z_]\w*$/.test(name) ? `(?<${name}>[^/]+)` : '[^/]+')

const nameFrom = (text: string): string =>
  text
    .replace(/[^A-Za-z0-9._~]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .toLowerCase()
    .slice(0, 128) || 'api'
