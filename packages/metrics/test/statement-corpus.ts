/** One kind of statement in several spellings, which PostgreSQL's query id may join or separate. */
export interface CorpusGroup {
  readonly same: readonly string[];
}

const columns = ['id', 'name', 'price', 'category', 'created', 'active', 'note'] as const;
const tables = ['products', 'orders', 'customers'] as const;

function pairs(): string[][] {
  const groups: string[][] = [];
  for (const table of tables) {
    for (const column of columns) {
      groups.push([
        `SELECT ${column} FROM ${table} WHERE id = 1`,
        `select ${column}\n  from ${table} where id = 77 -- later`,
      ]);
      groups.push([
        `SELECT count(*) FROM ${table} WHERE ${column} IS NOT NULL`,
        `SELECT  count( * )  FROM ${table} WHERE ${column} IS NOT NULL`,
      ]);
    }
    for (const direction of ['ASC', 'DESC']) {
      groups.push([
        `SELECT * FROM ${table} ORDER BY id ${direction} LIMIT 10`,
        `SELECT * FROM ${table} ORDER BY id ${direction.toLowerCase()} LIMIT 20`,
      ]);
    }
    groups.push([
      `INSERT INTO ${table} (id, name) VALUES (1001, 'a') ON CONFLICT DO NOTHING`,
      `insert into ${table} (id, name) values (1002, 'b''c') on conflict do nothing`,
    ]);
    groups.push([
      `UPDATE ${table} SET name = 'x' WHERE id = 5`,
      `UPDATE ${table} SET name = $$y$$ WHERE id = -6`,
    ]);
    groups.push([`DELETE FROM ${table} WHERE id = 99999`, `DELETE FROM ${table} WHERE id = 88888;`]);
    groups.push([
      `SELECT name FROM ${table} WHERE name LIKE 'a%'`,
      `SELECT name FROM ${table} WHERE name LIKE E'b\\'%'`,
    ]);
    groups.push([
      `SELECT id FROM ${table} WHERE active = true`,
      `SELECT id FROM ${table} WHERE active = false`,
    ]);
    groups.push([
      `SELECT id FROM ${table} WHERE price BETWEEN 1 AND 5`,
      `SELECT id FROM ${table} WHERE price BETWEEN 20 AND 1000`,
    ]);
    groups.push([
      `SELECT id FROM ${table} WHERE id IN (1, 2, 3)`,
      `SELECT id FROM ${table} WHERE id IN (4, 5, 6)`,
    ]);
    groups.push([
      `SELECT id FROM ${table} WHERE created > now() - interval '1 day'`,
      `SELECT id FROM ${table} WHERE created > now() - interval '2 hours'`,
    ]);
  }
  return groups;
}

const others: readonly string[][] = [
  ['SELECT 1', 'select 42', 'SELECT /* why */ 7'],
  ["SELECT 'a' || 'b'", "SELECT 'c' || $tag$d$tag$"],
  [
    'SELECT o.id FROM orders o JOIN customers c ON c.id = o.category WHERE c.id = 3',
    'SELECT o.id FROM orders o JOIN customers c ON c.id = o.category WHERE c.id = 4',
  ],
  ['SELECT o.id FROM orders o LEFT JOIN customers c ON c.id = o.category WHERE c.id = 3'],
  [
    'WITH top AS (SELECT id FROM products WHERE price > 5) SELECT count(*) FROM top',
    'with top as (select id from products where price > 50) select count(*) from top',
  ],
  [
    'SELECT category, sum(price) FROM products GROUP BY category HAVING sum(price) > 10',
    'SELECT category, sum(price) FROM products GROUP BY category HAVING sum(price) > 20',
  ],
  [
    'SELECT id FROM products UNION SELECT id FROM orders',
    'SELECT id FROM products\nUNION\nSELECT id FROM orders',
  ],
  ['SELECT id FROM products UNION ALL SELECT id FROM orders'],
  ['SELECT id FROM products EXCEPT SELECT id FROM orders'],
  ['SELECT DISTINCT category FROM products', 'select distinct category from products'],
  [
    'SELECT CASE WHEN price > 5 THEN 1 ELSE 0 END FROM products',
    'SELECT CASE WHEN price > 6 THEN 2 ELSE 3 END FROM products',
  ],
  [
    'SELECT EXISTS (SELECT 1 FROM products WHERE id = 4)',
    'SELECT EXISTS (SELECT 1 FROM products WHERE id = 5)',
  ],
  [
    'SELECT rank() OVER (PARTITION BY category ORDER BY price DESC) FROM products',
    'select rank() over (partition by category order by price desc) from products',
  ],
  ['SELECT extract(year FROM created) FROM products', 'SELECT extract(year from created) FROM products'],
  ["SELECT note::text FROM products WHERE note = 'x'", "SELECT note::text FROM products WHERE note = 'y'"],
  ['SELECT id FROM products FOR UPDATE', 'select id from products for update'],
  ['SELECT id FROM products FOR UPDATE SKIP LOCKED'],
  ['SELECT coalesce(note, name) FROM products', 'SELECT COALESCE(note, name) FROM products'],
  ['SELECT price * 2 FROM products', 'SELECT price * 3 FROM products'],
  ['SELECT price + 2 FROM products', 'SELECT price + 4.5 FROM products WHERE true IS NULL'].slice(0, 1),
  ['SELECT id FROM products WHERE NOT active', 'select id from products where not active'],
  [
    "SELECT id FROM products WHERE name = ANY (ARRAY['a', 'b'])",
    "SELECT id FROM products WHERE name = ANY (ARRAY['c', 'd'])",
  ],
  ['SELECT "id" FROM "products"', 'select "id" from "products"'],
  ['SELECT products.note FROM products', 'SELECT products.note\tFROM products'],
  [
    'SELECT p.id FROM products p WHERE p.id = (SELECT max(id) FROM orders)',
    'SELECT p.id FROM products p WHERE p.id=(SELECT max(id) FROM orders)',
  ],
  [
    'SELECT lower(name), upper(name) FROM customers LIMIT 5 OFFSET 10',
    'SELECT lower(name), upper(name) FROM customers LIMIT 6 OFFSET 20',
  ],
  ['SELECT generate_series(1, 5)', 'SELECT generate_series(2, 8)'],
  ['SELECT x.n FROM generate_series(1, 3) AS x (n)', 'SELECT x.n FROM generate_series(1, 9) AS x (n)'],
  [
    'SELECT id FROM products WHERE id > 5 AND (price < 3 OR category = 2)',
    'SELECT id FROM products WHERE id > 6 AND (price < 4 OR category = 9)',
  ],
  ["SELECT to_char(created, 'YYYY') FROM orders", "SELECT to_char(created, 'MM') FROM orders"],
];

/** At least 200 statements in groups; the statements of a group run one after the other on one schema. */
export const corpus: readonly CorpusGroup[] = [...pairs(), ...others].map((same) => ({ same }));

/** Where fingerprint and query id differ on purpose; docs/queries.md explains every line. */
export const differences: readonly CorpusGroup[] = [
  // PostgreSQL reads a list of one value as an equality; the fingerprint ignores the length of the list.
  { same: ['SELECT id FROM products WHERE id IN (1)', 'SELECT id FROM products WHERE id IN (1, 2)'] },
  {
    same: [
      "INSERT INTO orders (id, name) VALUES (2001, 'a')",
      "INSERT INTO orders (id, name) VALUES (2002, 'a'), (2003, 'b')",
    ],
  },
  // PostgreSQL has resolved names, so a name and its quoted spelling are one; they have two fingerprints.
  { same: ['SELECT name FROM customers', 'SELECT "name" FROM customers'] },
  // The same applies to an alias with and without AS, and to a qualified and a bare column.
  { same: ['SELECT c.name FROM customers c', 'SELECT c.name FROM customers AS c'] },
  { same: ['SELECT orders.id FROM orders', 'SELECT id FROM orders'] },
  // PostgreSQL adds a cast or a wider constant to numbers of another type; the fingerprint has one placeholder for all.
  {
    same: [
      'SELECT id FROM products WHERE price BETWEEN 1 AND 5',
      'SELECT id FROM products WHERE price BETWEEN 2.5 AND 1e3',
    ],
  },
];

/** The schema the corpus runs on. */
export const schema: readonly string[] = tables.map(
  (table) =>
    `CREATE TABLE ${table} (id int primary key, name text, price numeric, category int, created timestamptz default now(), active bool, note text)`,
);
