import { runTool } from './process/tool.ts'

// --fix is the word of most linters; Biome calls it --write.
const args = process.argv.slice(2).map((argument) => (argument === '--fix' ? '--write' : argument))
const { code } = await runTool('biome', ['check', '--error-on-warnings', ...args], { show: true })
process.exitCode = code ?? 1
