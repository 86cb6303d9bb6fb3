import { serviceUser } from './description.ts'

const key = '/etc/ssl/gateway.key'
const request = '/etc/ssl/gateway.csr'
const certificate = '/etc/ssl/gateway.crt'

/**
 * Bash that makes a private key (RSA 4096) and a request for an outside CA, once; the key never leaves the host. Until
 * a certificate of a CA takes its place, a self-signed one of 90 days lets the service start.
 */
export const ensureCertificate = () => `if [ ! -e ${key} ]; then
  say 'private key and certificate request'
  will_change
  remember_file ${key}
  remember_file ${request}
  (
    umask 077
    openssl req -new -newkey rsa:4096 -nodes -keyout ${key}.new -out ${request} -subj "/CN=$(hostname -f || hostname)" 2>/dev/null
    mv -- ${key}.new ${key}
  )
fi
if [ ! -e ${certificate} ]; then
  remember_file ${certificate}
  openssl x509 -req -in ${request} -signkey ${key} -days 90 -out ${certificate} 2>/dev/null
  will_change
  say 'certificate: self-signed for now; put the one of your CA into ${certificate}'
fi
chown ${serviceUser}:${serviceUser} ${key}
chmod 0600 ${key}`
