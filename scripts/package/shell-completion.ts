import type { Command } from 'commander'

/** What may stand behind a command: the commands below it, and its options. */
function words(command: Command): string[] {
  const help = command.createHelp()
  const commands = help.visibleCommands(command).map((child) => child.name())
  const options = help.visibleOptions(command).map((option) => option.long ?? option.short ?? '')
  return [...commands, ...options].filter((word) => word !== '')
}

function cases(command: Command, path: string): string[] {
  const own = `    '${path}') words='${words(command).join(' ')}' ;;`
  return [own, ...command.commands.flatMap((child) => cases(child, `${path}${child.name()} `))]
}

const takesValue = (command: Command): string[] =>
  [
    ...command.options.filter((option) => option.required).flatMap((option) => [option.long, option.short]),
    ...command.commands.flatMap(takesValue),
  ].filter((flag): flag is string => flag !== undefined)

/**
 * Bash completion of a command line: commands and options where they may stand, files behind `--config` and behind
 * other options that take a value.
 */
export function bashCompletion(program: Command): string {
  const name = program.name()
  const functionName = `_${name.replaceAll('-', '_')}`
  const values = [...new Set(takesValue(program))].sort().join('|')
  return `# bash completion of ${name}
${functionName}() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' word words='' index skip=''
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in
      ${values}) skip=1 ;;
      -*) ;;
      *) path+="$word " ;;
    esac
  done
  if [ -n "$skip" ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  case $path in
${cases(program, '').join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F ${functionName} ${name}
`
}
