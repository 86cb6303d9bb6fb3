import { closingLines } from './test/counts.ts'
import { runJest } from './test/jest.ts'

/*
 * What of AWS needs Terraform's provider, from a local mirror (~/.terraform.d/plugins), and an emulator at the address
 * GATEHOUSE_AWS_EMULATOR; skipped with a word where they are not. `npm test` runs it as well.
 */
const counts = await runJest(['--verbose', 'test/stacks/terraform-aws.test.ts'])
process.stdout.write(`\n${closingLines(counts).join('\n')}\n`)
process.exitCode = counts.failed > 0 ? 1 : 0
