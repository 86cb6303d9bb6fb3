import {
  configurationDirectory,
  logDirectory,
  serviceUnit,
  serviceUser,
} from '../../constructs/host-bootstrap/description.ts'
import type { MaintainerScript } from './debian-package.ts'

const library = '/usr/lib/gateway'

/**
 * A process loads parts of its program when it first needs them, and may run on for long after an upgrade: the parts of
 * the version before are kept here while the package is unpacked, and beside the new ones until the next upgrade.
 */
const kept = `${library}/before`

const head = '#!/bin/sh\nset -e\n'

/**
 * What happens on a host around the unpacking of the package (Debian Policy 6). The service is enabled once, so that
 * who disables it finds it disabled after the next upgrade. An upgrade lets a new process take over from the one that
 * runs; where that fails, the old one goes on and the upgrade stands.
 */
export const maintainerScripts: Record<MaintainerScript, string> = {
  preinst: `${head}
if [ "$1" = upgrade ] && [ -d ${library} ]; then
  owned=$(dpkg-query --listfiles gateway-runtime)
  rm -rf ${kept}
  mkdir ${kept}
  for part in ${library}/part-*.mjs; do
    case $owned in
      *"$part"*) ln "$part" ${kept}/ ;;
      *) rm -f "$part" ;;
    esac
  done
fi
`,
  postinst: `${head}
[ "$1" = configure ] || [ "$1" = abort-upgrade ] || exit 0
for part in ${kept}/part-*.mjs; do
  [ ! -e "$part" ] || [ -e "${library}/\${part##*/}" ] || mv "$part" ${library}/
done
rm -rf ${kept}
systemd-sysusers gateway.conf
# The service writes accepted changes back. No links: who may write into the folder must not choose what is given away.
find ${configurationDirectory} -maxdepth 1 -name '*.yaml' -type f -links 1 -user root -exec chown -h ${serviceUser}:${serviceUser} {} +
systemd-tmpfiles --create gateway.conf || true
deb-systemd-helper unmask ${serviceUnit} >/dev/null || true
if deb-systemd-helper --quiet was-enabled ${serviceUnit}; then
  deb-systemd-helper enable ${serviceUnit} >/dev/null || true
else
  deb-systemd-helper update-state ${serviceUnit} >/dev/null || true
fi
[ -d /run/systemd/system ] || exit 0
systemctl --system daemon-reload >/dev/null || true
/usr/lib/systemd/systemd-sysctl 90-gateway.conf || true
if [ -n "$2" ] && systemctl is-active --quiet ${serviceUnit}; then
  if [ "$(systemctl show --property=NotifyAccess --value ${serviceUnit})" = main ]; then
    /usr/lib/gateway/take-over || echo 'gateway-runtime: the version before goes on; see journalctl -u ${serviceUnit}' >&2
  else
    deb-systemd-invoke restart ${serviceUnit} >/dev/null || true
  fi
else
  deb-systemd-invoke start ${serviceUnit} >/dev/null ||
    echo 'gateway-runtime: the service did not start; see journalctl -u ${serviceUnit}' >&2
fi
`,
  prerm: `${head}
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${serviceUnit} >/dev/null || true
fi
[ "$1" != remove ] || rm -rf ${library}/part-*.mjs ${kept}
`,
  postrm: `${head}
if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
case $1 in
  remove)
    if command -v deb-systemd-helper >/dev/null; then deb-systemd-helper mask ${serviceUnit} >/dev/null || true; fi
    ;;
  purge)
    if command -v deb-systemd-helper >/dev/null; then
      deb-systemd-helper purge ${serviceUnit} >/dev/null || true
      deb-systemd-helper unmask ${serviceUnit} >/dev/null || true
    fi
    rm -rf ${configurationDirectory} ${logDirectory} /var/lib/gateway /var/cache/gateway
    if getent passwd ${serviceUser} >/dev/null && command -v userdel >/dev/null; then
      userdel ${serviceUser} >/dev/null 2>&1 || true
    fi
    ;;
esac
`,
}
