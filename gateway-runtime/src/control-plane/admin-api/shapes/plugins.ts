import { isMapping } from '../../../config/merge.ts'
import { plugins } from '../../../plugins/registry.ts'
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
  protocols: ['grpc', 'grpcs', 'http', 'https'],
  instance_name: null,
  ordering: null,
  consumer_group: null,
  run_on: null,
  condition: null,
  partials: null,
}
const shown = ['id', 'tags', 'name', 'service', 'route', 'consumer', 'enabled', 'config']

export const pluginShape: Shape = {
  nameKey: undefined,
  minimal: {},
  toApi({ entity, full }, index) {
    const { name, service, route, consumer, enabled, config } = full
    return {
      name,
      ...fixed,
      enabled,
      config: withDefaults(String(name), config),
      service: reference(index, 'services', service),
      route: reference(index, 'routes', route),
      consumer: reference(index, 'consumers', consumer),
      ...others(entity, shown),
    }
  },
  fromApi(body, index) {
    const protocols = listOrNull(body.protocols)
    const isUsual = Array.isArray(protocols) && protocols.includes('http') && protocols.includes('https')
    const { service, route, consumer, config, ...rest } = withoutNulls(
      withoutFixed(isUsual ? { ...body, protocols: null } : body, fixed),
    )
    const scope = {
      service: referredName(index, 'services', 'service', service),
      route: referredName(index, 'routes', 'route', route),
      consumer: referredName(index, 'consumers', 'consumer', consumer),
    }
    const isSet = isMapping(config) && Object.keys(config).length > 0
    return { ...rest, ...withoutNulls(scope), ...(isSet && { config: withoutNulls(config) }) }
  },
}

/** Settings with the defaults of the plugin; what is given stays as it was written. */
function withDefaults(name: string, config: unknown): unknown {
  const parsed = plugins.get(name)?.config.safeParse(config)
  return parsed?.success ? merged(parsed.data, config) : config
}

function merged(complete: unknown, given: unknown): unknown {
  if (!isMapping(complete) || !isMapping(given)) return given === undefined ? complete : given
  const keys = [...new Set([...Object.keys(complete), ...Object.keys(given)])]
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = merged(complete[key], given[key])
      return value === undefined ? [] : [[key, value]]
    }),
  )
}
