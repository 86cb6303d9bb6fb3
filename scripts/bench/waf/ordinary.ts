import {
  type CorpusRequest,
  formRequest,
  jsonRequest,
  multipartRequest,
  queryRequest,
  xmlRequest,
} from './corpus-request.ts'

const names = [
  "O'Brien",
  "D'Angelo",
  'Jean-Luc Ångström',
  'María José Núñez',
  'Anne Select',
  'Drop Tableau',
  "L'Oréal & Co.",
  'Smith, John (Jr.)',
  'von der Leyen',
  "Ng'ang'a",
]
const sentences = [
  'Please ring the bell twice, or leave it with the neighbours at no. 12.',
  "It's 5 o'clock; don't forget the keys!",
  'Select a size from the list and drop it into the basket.',
  'The union of both teams was updated where it mattered.',
  'Price < 100 & weight > 2 kg (see notes)',
  'He said "no" and then - after a while - "yes".',
  'Total: $12.50 / 3 = $4.17 each; 20% off.',
  'Wir schließen um 18 Uhr – danke für Ihr Verständnis',
  'C++ or C#? I like both; 1 + 1 = 2.',
  'order by phone and group by table at the restaurant',
]
const code = [
  'const total = items.reduce((sum, item) => sum + item.price, 0)',
  'def greet(name):\n    return f"Hello, {name}!"',
  'if (a < b && c > d) { return a; }',
  'for i in range(10): print(i)',
  '.button { color: #333; margin: 0 auto; }',
  'public static int add(int a, int b) { return a + b; }',
]
const html = [
  '<p>Hello <b>world</b></p>',
  '<ul><li>one</li><li>two</li></ul>',
  '<h1>Our prices</h1><p>From 5 &euro;</p>',
  '<em>very</em> good<br>',
]
const paths = [
  '/v1/orders?page=2&limit=50&sort=-created_at',
  '/v1/orders/550e8400-e29b-41d4-a716-446655440000',
  '/v1/search?q=red+shoes&filter=price%3A10..50&in_stock=true',
  '/v1/users/4711/addresses?fields=id,street,city',
  '/v1/reports?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z',
  '/v1/products?category=books&tags=new,sale&lang=en-GB',
  '/assets/app.3f2a1c.js?v=12',
  '/v1/geo?lat=52.5200&lon=13.4050&radius=5km',
  '/v1/callback?code=4%2F0AX4XfWh&state=af0ifjsldkj&scope=openid%20email',
  '/v1/files/report%20(final).pdf',
]

/** Bytes that look random and are the same each time. */
function base64(seed: number, bytes: number): string {
  const data = Buffer.alloc(bytes)
  let state = seed + 1
  for (let i = 0; i < bytes; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    data[i] = state >> 16
  }
  return data.toString('base64')
}

const quoted = (text: string) => encodeURIComponent(text)
const kind = 'ordinary'

/** Some 400 requests as clients of APIs make them: names, prose, code, markup, JSON and base64. */
export function ordinaryCorpus(): CorpusRequest[] {
  const requests: CorpusRequest[] = paths.map((target) => queryRequest(kind, 'path', target))
  names.forEach((name, index) => {
    requests.push(queryRequest(kind, 'name', `/v1/users?name=${quoted(name)}`))
    requests.push(formRequest(kind, `first=Ann&last=${quoted(name)}&age=${20 + index}&newsletter=on`))
    requests.push(jsonRequest(kind, JSON.stringify({ id: index, name, tags: ['new', 'vip'], active: true })))
    requests.push(multipartRequest(kind, { name, city: 'Berlin', comment: sentences[index]! }))
    requests.push(
      xmlRequest(kind, `<?xml version="1.0"?><user id="${index}"><note>order ${index} is late</note></user>`),
    )
    for (const sentence of sentences) {
      const body = { author: name, text: sentence, likes: index * 7, replies: [], meta: { lang: 'en' } }
      requests.push(jsonRequest(kind, JSON.stringify(body), 'prose in JSON'))
    }
  })
  for (const sentence of sentences) {
    requests.push(queryRequest(kind, 'prose', `/v1/search?q=${quoted(sentence)}`))
    requests.push(formRequest(kind, `subject=Order&message=${quoted(sentence)}`))
  }
  for (const text of [...code, ...html]) {
    requests.push(jsonRequest(kind, JSON.stringify({ snippet: text, language: 'auto' }), 'code and HTML'))
    requests.push(formRequest(kind, `snippet=${quoted(text)}`))
  }
  for (let index = 0; index < 60; index++) {
    const blob = base64(index, 30 + index * 9)
    requests.push(
      jsonRequest(kind, JSON.stringify({ file: `photo-${index}.png`, content: blob }), 'base64 in JSON'),
    )
    requests.push(
      queryRequest(kind, 'token', `/v1/session?token=${quoted(base64(index + 500, 24))}&n=${index}`),
    )
  }
  for (let index = 0; index < 60; index++) {
    const items = Array.from({ length: 1 + (index % 8) }, (_, line) => ({
      sku: `SKU-${index}-${line}`,
      quantity: line + 1,
      price: { amount: `${index}.${line}9`, currency: 'EUR' },
    }))
    requests.push(jsonRequest(kind, JSON.stringify({ order: index, customer: `c-${index}`, items }), 'order'))
  }
  return requests
}
