/** A document of OpenAPI 3.1 that has each kind of parameter and body in it. */
export const ordersDocument = {
  openapi: '3.1.0',
  info: { title: 'Orders', version: '1' },
  paths: {
    '/orders': {
      get: {
        parameters: [
          { $ref: '#/components/parameters/page' },
          { name: 'exact', in: 'query', schema: { type: 'boolean' } },
          { name: 'sort', in: 'query', allowEmptyValue: true, schema: { enum: ['date', 'price'] } },
          { name: 'ids', in: 'query', explode: false, schema: { $ref: '#/components/schemas/ids' } },
          { name: 'tag', in: 'query', schema: { type: 'array', maxItems: 2, items: { type: 'string' } } },
          { name: 'size', in: 'query', style: 'pipeDelimited', schema: { $ref: '#/components/schemas/ids' } },
          {
            name: 'span',
            in: 'query',
            style: 'spaceDelimited',
            schema: { $ref: '#/components/schemas/ids' },
          },
          {
            name: 'filter',
            in: 'query',
            style: 'deepObject',
            schema: { $ref: '#/components/schemas/filter' },
          },
          { name: 'point', in: 'query', schema: { $ref: '#/components/schemas/point' } },
          { name: 'flat', in: 'query', explode: false, schema: { $ref: '#/components/schemas/point' } },
          {
            name: 'either',
            in: 'query',
            schema: { oneOf: [{ type: 'integer', minimum: 5 }, { const: 'all' }] },
          },
          { name: 'where', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
          { name: 'X-Trace', in: 'header', schema: { type: 'string', pattern: '^[0-9a-f]{32}$' } },
          { name: 'X-Ids', in: 'header', schema: { $ref: '#/components/schemas/ids' } },
          { name: 'X-Point', in: 'header', explode: true, schema: { $ref: '#/components/schemas/point' } },
          { name: 'Authorization', in: 'header', required: true, schema: { const: 'described elsewhere' } },
          { name: 'theme', in: 'cookie', schema: { enum: ['dark', 'light'] } },
        ],
      },
      post: { requestBody: { $ref: '#/components/requestBodies/order' } },
    },
    '/orders/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } }],
      get: {},
      delete: { parameters: [{ name: 'id', in: 'path', required: true, schema: { const: 7 } }] },
    },
    '/orders/latest': { get: { parameters: [{ name: 'n', in: 'query', required: true, schema: {} }] } },
    '/reports/{year}-{month}.{format}': {
      get: {
        parameters: [
          { name: 'year', in: 'path', required: true, schema: { type: 'integer', minimum: 2_000 } },
          { name: 'month', in: 'path', required: true, schema: { type: 'integer', maximum: 12 } },
          { name: 'format', in: 'path', required: true, schema: { enum: ['csv', 'pdf'] } },
        ],
      },
    },
    '/label/{ids}/{point}': {
      get: {
        parameters: [
          {
            name: 'ids',
            in: 'path',
            required: true,
            style: 'label',
            schema: { $ref: '#/components/schemas/ids' },
          },
          {
            name: 'point',
            in: 'path',
            required: true,
            style: 'label',
            explode: true,
            schema: { $ref: '#/components/schemas/point' },
          },
        ],
      },
    },
    '/matrix/{ids}/{point}': {
      get: {
        parameters: [
          {
            name: 'ids',
            in: 'path',
            required: true,
            style: 'matrix',
            explode: true,
            schema: { $ref: '#/components/schemas/ids' },
          },
          {
            name: 'point',
            in: 'path',
            required: true,
            style: 'matrix',
            schema: { $ref: '#/components/schemas/point' },
          },
        ],
      },
    },
    '/form': {
      post: {
        requestBody: {
          required: true,
          content: {
            'application/x-www-form-urlencoded': {
              schema: {
                type: 'object',
                required: ['name'],
                properties: {
                  name: { type: 'string', minLength: 2 },
                  age: { type: 'integer' },
                  ids: { $ref: '#/components/schemas/ids' },
                  flat: { $ref: '#/components/schemas/ids' },
                  point: { $ref: '#/components/schemas/point' },
                },
                additionalProperties: false,
              },
              encoding: { flat: { explode: false }, point: { style: 'deepObject' } },
            },
            'text/*': { schema: { type: 'string', maxLength: 5 } },
            'image/png': {},
          },
        },
      },
    },
  },
  components: {
    parameters: {
      page: { name: 'page', in: 'query', schema: { type: ['integer', 'null'], minimum: 1 } },
    },
    requestBodies: {
      order: {
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/order' } },
        },
      },
    },
    schemas: {
      ids: { type: 'array', items: { type: 'integer' }, maxItems: 3, uniqueItems: true },
      filter: {
        type: 'object',
        properties: { colour: { type: 'string' }, sizes: { $ref: '#/components/schemas/ids' } },
        additionalProperties: false,
      },
      point: {
        type: 'object',
        required: ['x', 'y'],
        properties: { x: { type: 'number' }, y: { type: 'number' } },
      },
      order: {
        type: 'object',
        required: ['lines'],
        properties: {
          lines: { type: 'array', uniqueItems: true, items: { $ref: '#/components/schemas/line' } },
        },
        unevaluatedProperties: false,
      },
      line: {
        type: 'object',
        required: ['item'],
        properties: {
          item: { type: 'string' },
          parts: { type: 'array', items: { $ref: '#/components/schemas/line' } },
        },
      },
    },
  },
}
