import {
  configurationDirectory,
  logDirectory,
  serviceUnit,
  serviceUser,
} from '../../constructs/host-bootstrap/description.ts'
import { renderFirewallRules } from '../../constructs/host-bootstrap/iptables.ts'
import { sysctlFiles } from '../../constructs/host-bootstrap/sysctl.ts'
import { serviceUnitFile } from '../../constructs/host-bootstrap/systemd.ts'
import { createProgram } from '../../gateway-runtime/src/cli/program.ts'
import { usage } from '../../gateway-runtime/src/usage.ts'
import type { Architecture } from './architecture.ts'
import { directory, type Entry, file, link } from './archive.ts'
import type { Build } from './build.ts'
import { changelog, copyright, gzipped } from './debian-documents.ts'
import type { DebianPackage } from './debian-package.ts'
import { maintainerScripts } from './maintainer-scripts.ts'
import { manPageOfCommands, manPageOfHelp } from './man-page.ts'
import { bashCompletion } from './shell-completion.ts'

const name = 'gateway-runtime'
const library = 'usr/lib/gateway'

const defaultConfiguration = `# What the gateway does. All settings: gateway-cli config schema, and the documentation.
# A change is in force as soon as the file is saved; one with mistakes is refused, and error.log says why.
listeners:
  - { port: 80, protocol: http }
  # Once there is a certificate:
  # - { port: 443, protocol: https, certificate: /etc/ssl/gateway.crt, key: /etc/ssl/gateway.key }
status: { host: 127.0.0.1, port: 9090 }
`

const defaultServices = `# Where requests are sent. An example:
# services:
#   - { name: orders, url: 'http://10.0.12.7:8080', retries: 3, connect_timeout: 5000ms }
services: []
`

const logrotate = `${logDirectory}/*.log {
	daily
	maxsize 512M
	rotate 14
	missingok
	notifempty
	compress
	delaycompress
	su ${serviceUser} ${serviceUser}
	create 0640 ${serviceUser} ${serviceUser}
	sharedscripts
	postrotate
		systemctl kill --kill-whom=main --signal=USR1 ${serviceUnit} 2>/dev/null || true
	endscript
}
`

const sysusers = `u ${serviceUser} - "API gateway" /nonexistent /usr/sbin/nologin\n`

const tmpfiles = `d ${configurationDirectory} 0750 ${serviceUser} ${serviceUser} -
d ${logDirectory} 0750 ${serviceUser} adm -
d /var/lib/gateway 0700 ${serviceUser} ${serviceUser} -
`

/** Checks of Debian's that do not fit a program with its own Node.js. */
const lintianOverrides = `# Node.js is shipped as its project builds and tests it, with its own libraries inside.
${name}: embedded-library
${name}: unstripped-binary-or-object
${name}: hardening-no-pie
# Packages of Node.js with machine code, as they are published.
${name}: shared-library-is-executable *
${name}: shared-library-lacks-prerequisites *
${name}: hardening-no-fortify-functions *
`

/** Files of the host bootstrap, in the folders of a package rather than those of an administrator. */
const systemFiles = (): Entry[] => [
  ...sysctlFiles()
    .filter(({ path }) => !path.startsWith('/etc/security'))
    .map(({ path, content }) => file(path.replace('/etc/', 'usr/lib/'), content)),
  ...([4, 6] as const).map((family) =>
    file(`usr/share/gateway/iptables/rules.v${family}`, renderFirewallRules(family)),
  ),
]

const programs = ({ launchers, bundle, node, native }: Build, architecture: Architecture): Entry[] => [
  file(`${library}/node`, node[architecture].binary, 0o755),
  ...native[architecture].map(({ path, content }) => file(`${library}/${path}`, content)),
  ...launchers.map(({ name, content }) => file(`${library}/${name}`, content, 0o755)),
  ...bundle
    .filter(({ name }) => name.endsWith('.mjs'))
    .map(({ name, content }) => file(`${library}/${name}`, content)),
  link('usr/bin/gateway', '../lib/gateway/gateway'),
  link('usr/bin/gateway-cli', '../lib/gateway/gateway-cli'),
]

const documents = (version: string, time: number): Entry[] => {
  const page = { version, time } as const
  const cli = { ...page, name: 'gateway-cli', section: 1, summary: 'operate the API gateway' } as const
  const service = { ...page, name: 'gateway', section: 8, summary: 'the service of the API gateway' } as const
  return [
    file('usr/share/man/man1/gateway-cli.1.gz', gzipped(manPageOfCommands(cli, createProgram()))),
    file('usr/share/man/man8/gateway.8.gz', gzipped(manPageOfHelp(service, usage))),
    file('usr/share/bash-completion/completions/gateway-cli', bashCompletion(createProgram())),
  ]
}

/** The gateway as a Debian package: programs with their Node.js, unit, configuration, account, documentation. */
export function runtimePackage(build: Build, architecture: Architecture): DebianPackage {
  const { version, time } = build
  const { license } = build.node[architecture]
  return {
    name,
    version,
    architecture,
    depends: 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 9), modsecurity-crs, systemd (>= 247)',
    recommends: 'iptables, logrotate, openssl',
    summary: 'API gateway with routing, rate limits, TLS and health checks',
    description: [
      'The service gateway-service takes requests on ports 80 and 443, checks them\nand sends them to the services of /etc/gateway/services.yaml.',
      'gateway-cli operates it. The Node.js that both run on is part of the package.',
    ],
    entries: [
      ...programs(build, architecture),
      ...documents(version, time),
      ...systemFiles(),
      file(`usr/lib/systemd/system/${serviceUnit}`, serviceUnitFile),
      file('usr/lib/sysusers.d/gateway.conf', sysusers),
      file('usr/lib/tmpfiles.d/gateway.conf', tmpfiles),
      file('etc/logrotate.d/gateway-runtime', logrotate),
      directory('etc/gateway', 0o750),
      file('etc/gateway/config.yaml', defaultConfiguration, 0o640),
      file('etc/gateway/services.yaml', defaultServices, 0o640),
      file(`usr/share/lintian/overrides/${name}`, lintianOverrides),
      copyright(name, 'Licences of Node.js and of the bundled modules: the file LICENSES in this folder.'),
      file(
        `usr/share/doc/${name}/LICENSES`,
        `Licences of the bundled modules:\n\n${build.legal}\nLicence of Node.js:\n\n${license}`,
      ),
      changelog(name, version, time),
    ],
    configurationFiles: [
      'etc/gateway/config.yaml',
      'etc/gateway/services.yaml',
      'etc/logrotate.d/gateway-runtime',
    ],
    scripts: maintainerScripts,
  }
}
