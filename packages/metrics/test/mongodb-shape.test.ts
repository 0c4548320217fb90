import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { shapeOf } from '../src/db/mongodb.ts';
import { createMetrics, type SlowQueryEvent } from '../src/index.ts';

const SECRET = 'guest@example.com';

class ObjectId {
  readonly _bsontype = 'ObjectId';
}

test.each<[string, Record<string, unknown>, string]>([
  [
    'fields of a filter',
    { filter: { name: 'a', age: { $gt: 1, $lt: 5 } } },
    '{filter: {name: ?, age: {$gt: ?, $lt: ?}}}',
  ],
  ['a path', { filter: { 'address.city': 'a' } }, '{filter: {address.?: ?}}'],
  [
    'a condition within a list',
    { filter: { items: { $elemMatch: { price: { $gt: 1 } } } } },
    '{filter: {items: {$elemMatch: {price: {$gt: ?}}}}}',
  ],
  [
    'alternatives',
    { filter: { $or: [{ a: 1 }, { a: 2 }, { b: { $in: [1, 2, 3] } }] } },
    '{filter: {$or: [{a: ?}, {b: {$in: [?]}}]}}',
  ],
  ['a document as a value', { filter: { address: { city: 'a' } } }, '{filter: {address: ?}}'],
  ['an id', { filter: { _id: new ObjectId() } }, '{filter: {_id: ?}}'],
  ['a sort', { sort: { price: 1, name: -1 } }, '{sort: {price: ?, name: ?}}'],
  [
    'an update',
    { updates: [{ q: { _id: 1 }, u: { $set: { a: 1, b: 2 }, $inc: { c: 1 } } }] },
    '{updates: [{q: {_id: ?}, u: {$set: ?, $inc: ?}}]}',
  ],
  [
    'a replacement',
    { updates: [{ q: { _id: 1 }, u: { a: 1, b: { c: 2 } } }] },
    '{updates: [{q: {_id: ?}, u: ?}]}',
  ],
  ['documents', { documents: [{ a: 1 }, { b: { c: 2 } }] }, '{documents: ?}'],
  [
    'an operator within an update',
    { updates: [{ q: {}, u: { $push: { log: { $each: [1], $slice: 5 } } } }] },
    '{updates: [{q: {}, u: {$push: {?: {$each: [?], $slice: ?}}}}]}',
  ],
  [
    'stages',
    {
      pipeline: [
        { $match: { shop: 1 } },
        { $group: { _id: '$day', n: { $sum: 1 } } },
        { $sort: { price: 1 } },
        { $limit: 5 },
      ],
    },
    '{pipeline: [{$match: {shop: ?}}, {$group: {_id: ?, ?: {$sum: ?}}}, {$sort: {price: ?}}, {$limit: ?}]}',
  ],
  [
    'a pipeline within a stage',
    { pipeline: [{ $lookup: { from: 'items', as: 'i', pipeline: [{ $match: { shop: 1 } }] } }] },
    '{pipeline: [{$lookup: {?: ?, ?: [{$match: {shop: ?}}]}}]}',
  ],
])('the shape of %s', (_name, command, shape) => {
  expect(shapeOf(command)).toBe(shape);
});

/** Every place of a command where a name may be data. */
const places: Readonly<Record<string, (name: string) => Record<string, unknown>>> = {
  'a set field': (name) => ({ updates: [{ q: { _id: 1 }, u: { $set: { [name]: true } } }] }),
  'a path of a set field': (name) => ({
    updates: [{ q: { _id: 1 }, u: { $set: { [`present.${name}`]: true } } }],
  }),
  'a field within a set field': (name) => ({
    updates: [{ q: { _id: 1 }, u: { $set: { present: { [name]: true } } } }],
  }),
  'an unset field': (name) => ({ updates: [{ q: { _id: 1 }, u: { $unset: { [name]: '' } } }] }),
  'an update by a pipeline': (name) => ({
    updates: [{ q: { _id: 1 }, u: [{ $set: { [name]: { $add: [1, `$${name}`] } } }] }],
  }),
  'a document': (name) => ({ documents: [{ [name]: { [name]: 1 } }] }),
  'a replacement': (name) => ({ update: { [name]: 1 }, query: { _id: 1 } }),
  'a path of a filter': (name) => ({ filter: { [`present.${name}`]: { $exists: true } } }),
  'a field of a filter': (name) => ({ filter: { [name]: 1 } }),
  'a value of a filter': (name) => ({ filter: { present: { [name]: 1 }, $or: [{ a: [{ [name]: 1 }] }] } }),
  'a sort': (name) => ({ sort: { [`scores.${name}`]: -1 } }),
  'a projection': (name) => ({ projection: { [name]: 1 } }),
  'a group': (name) => ({ pipeline: [{ $group: { _id: `$${name}`, [name]: { $sum: `$${name}` } } }] }),
  'a facet': (name) => ({ pipeline: [{ $facet: { [name]: [{ $match: { [`a.${name}`]: 1 } }] } }] }),
  'an operator': (name) => ({ filter: { a: { [`$${name}`]: 1 } } }),
  'a parameter': (name) => ({ [name]: 1 }),
};

test.each(Object.entries(places))(
  'a name that is data is not shown in %s, and makes no statement of its own',
  (_name, place) => {
    const names = [
      SECRET,
      ...Array.from({ length: 50 }, (_, index) => `user${index}`),
      '65f1a0b2c3d4e5f6a7b8c9d0',
      'Łukasz',
      'a b',
    ];
    const shapes = new Set(names.map((name) => shapeOf(place(name))));
    expect([...shapes].filter((shape) => /guest|user|65f|Łukasz|a b/.test(shape))).toEqual([]);
    expect(shapes.size).toBe(1);
  },
);

test('what is looked at of a command is bounded, however wide or deep it is', () => {
  const wide = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, index) => [`$o${'abcdefgh'[index % 8]}${index}`, 1]),
  );
  let deep: Record<string, unknown> = {};
  for (let depth = 0; depth < 10_000; depth += 1) deep = { $and: [deep, { a: 1 }] };
  const cyclic: Record<string, unknown> = {};
  cyclic.$and = [cyclic, cyclic];
  const list = Array.from({ length: 100_000 }, (_, index) => ({ $match: { [index % 2 ? 'a' : 'b']: 1 } }));
  for (const command of [{ filter: wide }, { filter: deep }, { filter: cyclic }, { pipeline: list }])
    expect(shapeOf(command).length).toBeLessThan(100_000);
});

/** A MongoClient that only emits monitoring events. */
function client(events: SlowQueryEvent[]) {
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, onSlowQuery: (event) => events.push(event) },
  });
  const emitter = metrics.instrument(
    Object.assign(new EventEmitter(), { monitorCommands: true, options: {}, db() {} }),
  );
  let requestId = 0;
  const run = (commandName: string, command: object, reply?: object): void => {
    requestId += 1;
    emitter.emit('commandStarted', { commandName, command, connectionId: 1, requestId });
    const end = performance.now() + 0.05;
    while (performance.now() < end);
    emitter.emit('commandSucceeded', { commandName, connectionId: 1, requestId, reply });
  };
  return { metrics, run };
}

test('waiting for a change stream or a tailable cursor is never slow, reading on in another cursor is', async () => {
  const events: SlowQueryEvent[] = [];
  const { metrics, run } = client(events);
  run('aggregate', { aggregate: 'orders', pipeline: [{ $changeStream: {} }] }, { cursor: { id: 11n } });
  run('find', { find: 'log', tailable: true, awaitData: true, filter: {} }, { cursor: { id: 12n } });
  run('find', { find: 'orders', filter: {} }, { cursor: { id: 13n } });
  events.length = 0;
  for (const id of [11n, 12n, 13n]) run('getMore', { getMore: id, collection: 'orders' }, { cursor: { id } });
  expect(events).toHaveLength(1);
  run('killCursors', { killCursors: 'orders', cursors: [11n] });
  run('getMore', { getMore: 11n, collection: 'orders' });
  expect(events.map(({ summary }) => summary)).toEqual([
    'getMore orders',
    'killCursors orders',
    'getMore orders',
  ]);
  await metrics.close();
});
