import { z } from '@gatehouse/gateway-runtime/config'
import { awsSchema } from '../../stacks/aws-environment.ts'
import { type Schema, settingRows, settingsTable } from './settings-table.ts'

/** docs/environment.md: every setting of an environment on AWS with its type, its default and what it does. */
export function environmentReference(): string {
  const schema = z.toJSONSchema(awsSchema, { io: 'input', unrepresentable: 'any' }) as Schema
  return [
    '# environment.yaml on AWS',
    'Written by `npm run docs` from the schema that checks an environment; [aws.md](aws.md) shows how the settings go ' +
      'together. `further_regions[]` has what a region has.',
    settingsTable(settingRows('', schema)),
  ].join('\n\n')
}
