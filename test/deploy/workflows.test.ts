import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

const folder = join(import.meta.dirname, '../../deploy/workflows')
const scripts = Object.keys(JSON.parse(readFileSync(join(folder, '../../package.json'), 'utf8')).scripts)

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<
    Record<string, { readonly 'timeout-minutes'?: number; readonly steps: readonly Step[] }>
  >
}

const workflows = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .map((file): [string, Workflow, string] => {
    const text = readFileSync(join(folder, file), 'utf8')
    return [file, parse(text), text]
  })
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps }) => steps)

test('there are these', () => {
  expect(workflows.map(([file]) => file)).toEqual(['deploy.yaml', 'destroy.yaml', 'drift.yaml', 'plan.yaml'])
})

describe.each(workflows)('%s', (_, workflow, text) => {
  test('may write nothing to the repository, and comes to AWS by OIDC alone', () => {
    expect(workflow.permissions).toMatchObject({ contents: 'read', 'id-token': 'write' })
    expect(text).not.toMatch(/secrets\.|aws-access-key-id|AWS_SECRET/)
    const credentials = stepsOf(workflow).find(({ uses }) => uses?.startsWith('aws-actions/'))
    expect(credentials?.with?.['role-to-assume']).toMatch(/^\$\{\{ vars\.(PLAN|DEPLOY)_ROLE_ARN \}\}$/)
  })

  test('ends in bounded time, and keeps no credentials of the repository', () => {
    for (const job of Object.values(workflow.jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0)
    const checkout = stepsOf(workflow).find(({ uses }) => uses?.startsWith('actions/checkout'))
    expect(checkout?.with).toEqual({ 'persist-credentials': false })
  })

  test('runs scripts that there are, and puts nothing that people typed into a shell', () => {
    for (const { run = '' } of stepsOf(workflow)) {
      for (const [, name] of run.matchAll(/npm run (?:--silent )?([a-z:]+)/g)) expect(scripts).toContain(name)
      expect(run).not.toMatch(/\$\{\{ *(inputs|github\.(event|head_ref))/)
    }
  })
})

test('a pull request cannot take on the role that deploys', () => {
  const plan = workflows.find(([file]) => file === 'plan.yaml')![2]
  expect(plan).not.toContain('DEPLOY_ROLE_ARN')
})
