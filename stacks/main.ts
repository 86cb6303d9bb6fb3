// What cdktf runs, see cdktf.json: synthesizes every environment.
import { GatehouseApp } from './app.ts'

try {
  new GatehouseApp().synth()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
