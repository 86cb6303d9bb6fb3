import type { Collection } from '../../../config/index.ts'
import { certificateShape } from './certificates.ts'
import { consumerShape } from './consumers.ts'
import { pluginShape } from './plugins.ts'
import { routeShape } from './routes.ts'
import { serviceShape } from './services.ts'
import type { Shape } from './shape.ts'
import { upstreamShape } from './upstreams.ts'

/** How the entities of each collection look in the admin API. */
export const shapes: Readonly<Record<Collection, Shape>> = {
  services: serviceShape,
  routes: routeShape,
  upstreams: upstreamShape,
  consumers: consumerShape,
  plugins: pluginShape,
  certificates: certificateShape,
}
