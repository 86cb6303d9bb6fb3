import { runTests } from './test/jest.ts'

/*
 * What of AWS needs Terraform's provider, from a local mirror (~/.terraform.d/plugins), and an emulator at the address
 * GATEHOUSE_AWS_EMULATOR; skipped with a word where they are not. `npm test` runs it as well.
 */
await runTests(['--verbose', 'test/stacks/terraform-aws.test.ts'])
