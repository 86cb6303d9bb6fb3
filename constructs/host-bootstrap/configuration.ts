import { createHash } from 'node:crypto'
import { configurationDirectory, type HostDescription, type HostFile, serviceUser } from './description.ts'
import { gatewaySecretPaths } from './secrets.ts'
import { hereDocument, quote } from './shell.ts'

/** The configuration that the service serves: its own, as it writes accepted changes back. */
export const configurationFiles = (host: HostDescription): HostFile[] =>
  Object.entries(host.configuration ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => ({
      path: `${configurationDirectory}/${name}`,
      mode: '0640',
      owner: `${serviceUser}:${serviceUser}`,
      content: content.endsWith('\n') ? content : `${content}\n`,
    }))

/** What a process reads when it starts, and never again; all else is taken over by a reload. */
const ofProcess = [
  ...['workers', 'logs', 'redis', 'admin', 'status', 'store', 'postgres', 's3', 'certificate_store'],
  ...['plugin_files', 'tracing'],
]

/** Text of a setting at the top of a file, with the lines that belong to it; '' where it is not there. */
const settingOf = (text: string, name: string) =>
  new RegExp(`^${name}:.*(\\n([ \\t#-].*)?)*`, 'm').exec(text)?.[0].trimEnd() ?? ''

/** Bash that tells by \`needs_new_process\` whether a reload is enough; \`keep_settings\` remembers what is in force. */
function processSettings(host: HostDescription): string {
  const values = Object.entries(host.configuration ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, text]) => ofProcess.map((name) => settingOf(text, name)))
  const digest = createHash('sha256').update(JSON.stringify(values)).digest('hex')
  const secrets = gatewaySecretPaths(host)
  const sums = secrets.length > 0 ? ` && sha256sum -- ${secrets.map(quote).join(' ')}` : ''
  return `kept_settings=$state/settings
settings() { echo ${digest}${sums}; }
needs_new_process() { ! settings | cmp --silent -- - "$kept_settings"; }
keep_settings() { settings >"$kept_settings"; }`
}

/**
 * Bash that puts the configuration in the place of the one in force: as a whole, once the gateway has found it right.
 * YAML files that it does not have go; what is replaced is kept in \`$backups\`, and given back by \`restore_configuration\`.
 */
export function putConfiguration(host: HostDescription): string[] {
  const files = configurationFiles(host)
  if (files.length === 0) return [processSettings(host)]
  const stage = files.map(
    ({ path, content }) =>
      `stage_file ${quote(path.slice(configurationDirectory.length + 1))} ${hereDocument(content)}`,
  )
  return [
    `say 'configuration'
${processSettings(host)}
folder=${configurationDirectory}
before=$state/configuration
staged=$(mktemp -d "$folder/.gateway.XXXXXX") || fail "$folder could not be written (see above); what it held stays"
stage_file() { # NAME, content on standard input
  cat >"$staged/$1" || { rm -rf -- "$staged"; fail "$folder/$1 could not be written (see above); what it held stays"; }
}
${stage.join('\n')}
chmod 0640 "$staged"/*
chown ${serviceUser}:${serviceUser} "$staged"/*
restore_configuration() {
  rm -f -- "$folder"/*.yaml "$folder"/*.yml
  cp --archive -- "$before"/. "$folder/"
}
differs=
for file in "$staged"/*; do cmp --silent -- "$file" "$folder/\${file##*/}" || differs=yes; done
old=()
for file in "$folder"/*.yaml "$folder"/*.yml; do
  [ ! -e "$file" ] || [ -e "$staged/\${file##*/}" ] || old+=("$file")
done
if [ -n "$differs" ] || [ "\${#old[@]}" -gt 0 ]; then
  gateway-cli --config "$staged" config validate >&2 || { rm -rf -- "$staged"; fail 'the gateway refuses the configuration (see above); the one in force stays'; }
  will_change
  rm -rf -- "$before"
  install -d -m 0700 "$before" "$backups"
  for file in "$folder"/*.yaml "$folder"/*.yml; do
    [ ! -e "$file" ] || { cp --archive -- "$file" "$before/" && cp --archive --backup=numbered -- "$file" "$backups/\${file//\\//_}"; }
  done
  mv -f -- "$staged"/* "$folder/"
  [ "\${#old[@]}" -eq 0 ] || rm -- "\${old[@]}"
  say "wrote the configuration in $folder"
fi
rm -rf -- "$staged"`,
  ]
}
