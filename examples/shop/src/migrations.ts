/** Steps of the schema in order. A released step is never edited: what comes later is a new step. */
export const migrations: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: '0001-catalogue',
    sql: `
      create table categories (
        id int primary key,
        slug text not null unique,
        name text not null
      );
      create table products (
        id int primary key,
        sku text not null unique,
        name text not null,
        description text not null,
        category_id int not null,
        price_minor int not null check (price_minor > 0),
        currency text not null default 'EUR',
        stock int not null check (stock >= 0),
        search tsvector generated always as (to_tsvector('english', name || ' ' || description)) stored
      );
      create table reviews (
        id int primary key,
        product_id int not null,
        rating int not null check (rating between 1 and 5),
        body text not null,
        written_at timestamptz not null
      );
      create table orders (
        id int primary key,
        customer_id int not null,
        status text not null check (status in ('placed', 'paid', 'shipped', 'returned')),
        placed_at timestamptz not null
      );
      -- product_id has no index, on purpose: /flaws/unindexed shows what that costs.
      create table order_lines (
        order_id int not null,
        line int not null,
        product_id int not null,
        quantity int not null check (quantity > 0),
        unit_price_minor int not null check (unit_price_minor > 0)
      );
    `,
  },
];

/** Made after the rows are in, once: several times faster than row by row. */
export const afterSeed: readonly string[] = [
  'create index products_category on products (category_id, id)',
  'create index products_search on products using gin (search)',
  'create index reviews_product on reviews (product_id, written_at desc)',
  'create index orders_placed_at on orders (placed_at desc)',
  'alter table products add foreign key (category_id) references categories',
  'alter table reviews add foreign key (product_id) references products',
  'alter table order_lines add primary key (order_id, line)',
  'alter table order_lines add foreign key (order_id) references orders',
  'analyze',
];
