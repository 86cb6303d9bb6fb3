import { Argument, type Command } from 'commander'

const shells = ['bash', 'zsh', 'fish'] as const

/** `completion`: a script that lets a shell complete commands and options. */
export function addCompletionCommand(program: Command): void {
  const command = program
    .command('completion')
    .description('print a script that completes commands: eval "$(gateway-cli completion bash)"')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
  command.action((shell: (typeof shells)[number]) => {
    const words = wordsOf(program, [])
    process.stdout.write(shell === 'fish' ? fishScript(words) : shellScript(words, shell))
  })
}

/** What may come after the words of a command. */
type Words = ReadonlyMap<string, readonly string[]>

function wordsOf(command: Command, path: readonly string[]): Map<string, readonly string[]> {
  const options = command.options.flatMap(({ long }) => long ?? [])
  const own = [...command.commands.map((inner) => inner.name()), ...options, '--help']
  const inner = command.commands.flatMap((next) => [...wordsOf(next, [...path, next.name()])])
  return new Map([[path.join(' '), own], ...inner])
}

/** Options between the words of a command are passed over. */
const shellScript = (
  words: Words,
  shell: 'bash' | 'zsh',
) => `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_gateway_cli() {
  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
${[...words.keys()]
  .filter((path) => path !== '')
  .map((path) => `      ${JSON.stringify(path)}) path=${JSON.stringify(path)} ;;`)
  .join('\n')}
    esac
  done
  case "$path" in
${[...words].map(([path, next]) => `    ${JSON.stringify(path)}) COMPREPLY=($(compgen -W ${JSON.stringify(next.join(' '))} -- "\${COMP_WORDS[COMP_CWORD]}")) ;;`).join('\n')}
  esac
}
complete -o default -F _gateway_cli gateway-cli
`

const fishScript = (words: Words) =>
  [...words]
    .flatMap(([path, next]) => {
      const seen =
        path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`
      return next.map((word) =>
        word.startsWith('--')
          ? `complete -c gateway-cli -n '${seen}' -l ${word.slice(2)}`
          : `complete -c gateway-cli -f -n '${seen}' -a ${word}`,
      )
    })
    .join('\n')
    .concat('\n')
