import { channel } from 'node:diagnostics_channel';
import { expect, onTestFinished, test } from 'vitest';
import { type AnnouncedCache, type CacheLoadEvent, createCache } from '../src/index.ts';

function record<T>(name: string): T[] {
  const messages: T[] = [];
  const listener = (message: unknown) => messages.push(message as T);
  channel(name).subscribe(listener);
  onTestFinished(() => {
    channel(name).unsubscribe(listener);
  });
  return messages;
}

test('announces a cache when it is created and when it is closed', async () => {
  const created = record<{ cache: AnnouncedCache }>('weir:cache:created');
  const closed = record<{ cache: AnnouncedCache }>('weir:cache:closed');
  const cache = createCache({ name: 'announced' });
  expect(created.map((message) => message.cache.name)).toEqual(['announced']);
  expect(created[0]?.cache.stats()).toEqual(cache.stats());
  await cache.close();
  expect(closed).toHaveLength(1);
});

test('answers a late subscriber once for each live cache', async () => {
  const cache = createCache({ name: 'early' });
  const closed = createCache({ name: 'gone' });
  await closed.close();
  const found: string[] = [];
  channel('weir:cache:discover').publish({ announce: (live: AnnouncedCache) => found.push(live.name) });
  expect(found.filter((name) => name === 'early')).toHaveLength(1);
  expect(found).not.toContain('gone');
  await cache.close();
});

test('publishes every load with its definition and outcome, and no key', async () => {
  const loads = record<CacheLoadEvent>('weir:cache:load');
  const cache = createCache({ name: 'loads' });
  const item = cache.define('item', {
    key: String,
    load: (id: number) => (id === 1 ? id : Promise.reject(new Error())),
  });
  await item.get(1);
  await item.get(2).catch(() => {});
  await cache.getOrSet('k', () => 1);
  const keys = ['cache', 'definition', 'durationMs', 'outcome', 'background'];
  expect(loads.map((load) => [load.cache, load.definition, load.outcome])).toEqual([
    ['loads', 'item', 'ok'],
    ['loads', 'item', 'error'],
    ['loads', undefined, 'ok'],
  ]);
  expect(Object.keys(loads[0] ?? {})).toEqual(keys);
});
