import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { installEngine } from '../../../scripts/engines/install.ts'
import { root } from '../../../scripts/process/tool.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const temporaryFolder = temporaryFolders()
const plugins = spawnSync('pulumi', ['plugin', 'ls', '--json'], { encoding: 'utf8' })
const hasCommand = plugins.status === 0 && plugins.stdout.includes('"command"')
const previewTest = hasCommand ? test : test.skip
const reason = hasCommand ? '' : ' (skipped: the program pulumi and its plugin "command" are not installed)'
beforeAll(() => installEngine('pulumi'), 600_000)

describe('with the engine of Pulumi', () => {
  previewTest.each(['local', 'onprem'])(
    `%s is previewed${reason}`,
    async (name) => {
      const home = await temporaryFolder()
      const pulumi = (...args: string[]) =>
        spawnSync('pulumi', [...args, '--non-interactive', '--stack', name], {
          cwd: join(root, 'stacks/pulumi'),
          encoding: 'utf8',
          env: {
            ...process.env,
            PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
            PULUMI_BACKEND_URL: `file://${home}`,
            PULUMI_CONFIG_PASSPHRASE: 'test',
            PULUMI_SKIP_UPDATE_CHECK: 'true',
          },
        })
      expect(pulumi('stack', 'init')).toMatchObject({ status: 0 })
      const { status, stdout } = pulumi('preview', '--json')
      expect(status).toBe(0)
      expect(JSON.parse(stdout).changeSummary.create).toBeGreaterThan(1)
    },
    180_000,
  )
})
