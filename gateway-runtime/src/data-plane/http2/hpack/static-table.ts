import { headerName } from '../../http1/header-name.ts'
import type { TableField } from './dynamic-table.ts'

// RFC 7541 appendix A.
const fields = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

/** Index 1 of the specification is index 0 here. */
export const staticTable: readonly TableField[] = fields.split('\n').map((line) => {
  const [name, ...value] = line.split(' ')
  return { name: headerName(name!), value: value.join(' ') }
})

/** Lower-case name → the first index of it, and value → index where the table has values. */
export const staticIndexes = new Map<
  string,
  { readonly first: number; readonly values: Map<string, number> }
>()
for (const [index, { name, value }] of staticTable.entries()) {
  const known = staticIndexes.get(name.lower) ?? { first: index + 1, values: new Map<string, number>() }
  if (value !== '') known.values.set(value, index + 1)
  staticIndexes.set(name.lower, known)
}
