// What cdktf runs, see cdktf.json: synthesizes every environment.
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { GatehouseApp } = await import('./app.ts')
try {
  new GatehouseApp().synth()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
