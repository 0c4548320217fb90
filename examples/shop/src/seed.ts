/** Rows of the seeded catalogue. The same counts give the same rows, always. */
export const seedCounts = { products: 12_000, reviews: 60_000, orders: 100_000, linesPerOrder: 3 } as const;

const categories = [
  ...['Lamps', 'Chairs', 'Desks', 'Shelves', 'Rugs', 'Curtains', 'Cushions', 'Clocks', 'Mirrors', 'Vases'],
  ...['Kettles', 'Pans', 'Knives', 'Bowls', 'Mugs', 'Teapots', 'Baskets', 'Tools', 'Planters', 'Blankets'],
];
/** What `category` may be in queries. */
export const categorySlugs: readonly string[] = categories.map((name) => name.toLowerCase());

const adjectives = [
  'Quiet',
  'Nordic',
  'Folding',
  'Compact',
  'Heavy',
  'Slim',
  'Round',
  'Vintage',
  'Modern',
  'Sturdy',
];
const materials = [
  'oak',
  'ash',
  'steel',
  'linen',
  'wool',
  'glass',
  'ceramic',
  'copper',
  'bamboo',
  'cork',
  'brass',
  'felt',
];
const colours = ['white', 'black', 'sand', 'moss', 'rust', 'indigo', 'grey', 'amber'];
const opinions = [
  'Does what it says and looks good doing it.',
  'Smaller than I thought, yet well made.',
  'Arrived late; the quality makes up for it.',
  'The colour differs from the picture.',
  'Bought a second one within a week.',
  'Wobbles a little on an uneven floor.',
];

/** A text array literal of the constants above; none holds a quote. */
const array = (values: readonly string[]) => `array['${values.join("','")}']`;

/** SQL that picks an element of `values` by `hash`, an SQL expression of a non-negative integer. */
const pick = (values: readonly string[], hash: string) =>
  `(${array(values)})[1 + (${hash}) % ${values.length}]`;

/** SQL of a pseudo-random integer in [0, 2^28) that depends on `id` and `salt` alone, on every version of PostgreSQL. */
const hash = (id: string, salt: string) =>
  `('x' || substr(md5((${id})::text || '${salt}'), 1, 7))::bit(28)::int`;

/** SQL of a product's id; squaring makes the first ids the popular ones, as in a real shop. */
const popularProduct = (id: string, salt: string) =>
  `1 + floor(${seedCounts.products} * ((${hash(id, salt)}) / 268435456::float8) ^ 2)::int`;

/** One statement a table, in the order that their references allow. */
export const seedStatements: readonly string[] = [
  `insert into categories (id, slug, name)
   select ordinality, lower(name), name from unnest(${array(categories)}) with ordinality as category (name, ordinality)`,

  `insert into products (id, sku, name, description, category_id, price_minor, stock)
   select numbered.id,
     'W-' || lpad(numbered.id::text, 6, '0'),
     ${pick(adjectives, hash('numbered.id', 'a'))} || ' ' || ${pick(materials, hash('numbered.id', 'm'))} || ' '
       || rtrim(lower(category.name), 's') || ', ' || ${pick(colours, hash('numbered.id', 'c'))},
     'A ' || lower(${pick(adjectives, hash('numbered.id', 'a'))}) || ' piece in ' || ${pick(materials, hash('numbered.id', 'm'))}
       || ' and ' || ${pick(materials, hash('numbered.id', 'n'))} || ', made to last.',
     category.id,
     199 + 100 * (${hash('numbered.id', 'p')} % 400),
     ${hash('numbered.id', 's')} % 500
   from (select id, 1 + ${hash('id', 'k')} % ${categories.length} as category_id
         from generate_series(1, ${seedCounts.products}) as id) as numbered
   join categories as category on category.id = numbered.category_id`,

  `insert into reviews (id, product_id, rating, body, written_at)
   select id, ${popularProduct('id', 'r')}, 1 + floor(sqrt(${hash('id', 't')} % 25))::int,
     ${pick(opinions, hash('id', 'o'))}, timestamptz '2026-01-01' - id * interval '7 minutes'
   from generate_series(1, ${seedCounts.reviews}) as id`,

  `insert into orders (id, customer_id, status, placed_at)
   select id, 1 + ${hash('id', 'u')} % 20000, ${pick(['placed', 'paid', 'shipped', 'shipped', 'returned'], hash('id', 'q'))},
     timestamptz '2026-01-01' - (${seedCounts.orders} - id) * interval '5 minutes'
   from generate_series(1, ${seedCounts.orders}) as id`,

  `insert into order_lines (order_id, line, product_id, quantity, unit_price_minor)
   select numbered.order_id, numbered.line, product.id, 1 + numbered.pick % 3, product.price_minor
   from (select order_id, line, ${hash('order_id * 8 + line', 'l')} as pick, ${popularProduct('order_id * 8 + line', 'b')} as product_id
         from generate_series(1, ${seedCounts.orders}) as order_id, generate_series(1, ${seedCounts.linesPerOrder}) as line) as numbered
   join products as product on product.id = numbered.product_id`,
];
