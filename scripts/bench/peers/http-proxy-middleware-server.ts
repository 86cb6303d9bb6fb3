import { createProxyMiddleware } from 'http-proxy-middleware'
import { routePrefixes } from '../scenarios.ts'
import { readSettings, serve, upstreamAgent } from './node-settings.ts'

const settings = readSettings()
const { upstream } = settings
const prefixes = routePrefixes(settings)
const proxy = createProxyMiddleware({
  target: upstream,
  agent: upstreamAgent(),
  xfwd: true,
  ...(prefixes.length > 1 && { router: Object.fromEntries(prefixes.map((prefix) => [prefix, upstream])) }),
})

serve(settings, (request, response) => {
  void proxy(request, response)
})
