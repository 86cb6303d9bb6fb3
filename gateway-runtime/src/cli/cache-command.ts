import { type Command, Option } from 'commander'
import type { PurgeOutcome } from '../plugins/proxy-cache/purge-log.ts'
import { CliError } from './cli-error.ts'
import { running } from './node-commands.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'

interface PurgeOptions {
  readonly url?: string
  readonly prefix?: string
  readonly tag?: string
}

/** `cache purge`: has the caches of the running gateway forget answers. */
export function addCacheCommand(program: Command): void {
  const cache = addGlobalOptions(program.command('cache').description('see to what proxy-cache keeps'))
  const purge = cache
    .command('purge')
    .description('forget answers of one URL, of all that begin alike, or that have a tag')
    .addOption(
      new Option('--url <url>', 'such as https://api.example.com/v1/a?b=1, or /v1/a?b=1 for all hosts'),
    )
    .addOption(new Option('--prefix <prefix>', 'the same, of all that begin so').conflicts('url'))
    .addOption(
      new Option('--tag <tag>', 'one that the service gave in Cache-Tag or Surrogate-Key').conflicts([
        'url',
        'prefix',
      ]),
    )
  addGlobalOptions(purge).action(async () => {
    const { url, prefix, tag } = purge.opts<PurgeOptions>()
    if (url === undefined && prefix === undefined && tag === undefined)
      throw new CliError('say what to forget, with --url, --prefix or --tag')
    const settings = settingsOf(purge)
    const answer = await (await running(settings)).request('POST', '/cache/purge', { url, prefix, tag })
    const text = outcomeText(answer as PurgeOutcome)
    process.stdout.write(`${settings.json ? JSON.stringify(answer, null, 2) : text}\n`)
  })
}

function outcomeText({ purged, nodes, missing }: PurgeOutcome): string {
  const count = purged === 1 ? 'One answer is forgotten' : `${purged} answers are forgotten`
  if (nodes + missing === 1) return `${count}.`
  const told = `${count} on this node; ${nodes} of ${nodes + missing} nodes have purged.`
  return missing === 0 ? told : `${told} The others do so when they reach Redis.`
}
