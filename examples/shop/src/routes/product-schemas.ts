const id = { type: 'integer', minimum: 1, maximum: 2_147_483_647 };

const summaryProperties = {
  id,
  name: { type: 'string' },
  category: { type: 'string' },
  priceMinor: { type: 'integer', description: 'hundredths of the currency' },
  currency: { type: 'string' },
  stock: { type: 'integer' },
};

/** JSON schema of `ProductSummary`. */
export const productSummarySchema: object = {
  type: 'object',
  required: Object.keys(summaryProperties),
  properties: summaryProperties,
};

/** JSON schema of `ProductPage`. */
export const productPageSchema: object = {
  type: 'object',
  required: [...Object.keys(summaryProperties), 'sku', 'description', 'rating', 'reviews'],
  properties: {
    ...summaryProperties,
    sku: { type: 'string' },
    description: { type: 'string' },
    rating: {
      type: 'object',
      required: ['average', 'count'],
      properties: { average: { type: ['number', 'null'] }, count: { type: 'integer' } },
    },
    reviews: {
      type: 'array',
      items: {
        type: 'object',
        required: ['rating', 'body', 'writtenAt'],
        properties: { rating: { type: 'integer' }, body: { type: 'string' }, writtenAt: { type: 'string' } },
      },
    },
  },
};

/** JSON schema of `ProductList`. */
export const productListSchema: object = {
  type: 'object',
  required: ['category', 'page', 'pages', 'total', 'products'],
  properties: {
    category: { type: ['string', 'null'] },
    page: { type: 'integer' },
    pages: { type: 'integer' },
    total: { type: 'integer' },
    products: { type: 'array', items: productSummarySchema },
  },
};

/** JSON schema of a path with a product's id. */
export const productParamsSchema: object = { type: 'object', required: ['id'], properties: { id } };
