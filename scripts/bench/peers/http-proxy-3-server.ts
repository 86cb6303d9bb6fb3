import { createProxyServer } from 'http-proxy-3'
import { readSettings, serve, upstreamAgent } from './node-settings.ts'

const settings = readSettings()
const proxy = createProxyServer({ target: settings.upstream, agent: upstreamAgent(), xfwd: true })

serve(settings, (request, response) => {
  proxy.web(request, response, {}, () => response.writeHead(502).end())
})
