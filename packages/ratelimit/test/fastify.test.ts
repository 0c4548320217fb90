import { createManualClock } from '@weir/test-kit';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { fastifyRateLimit } from '../src/adapters/fastify.ts';
import { createRateLimiter } from '../src/index.ts';

test('the Fastify adapter limits only routes that ask for it, with draft headers and problem+json', async () => {
  const limiter = createRateLimiter({
    name: 'search',
    policies: [{ name: 'per-client', algorithm: 'gcra', limit: 2, windowMs: 10_000 }],
    clock: createManualClock(),
  });
  const app = fastify();
  await app.register(fastifyRateLimit);
  const key = (request: { headers: { 'x-client'?: string | string[] } }): string =>
    String(request.headers['x-client'] ?? '');
  app.get('/search', { config: { rateLimit: { limiter, key } } }, () => 'found');
  app.get('/free', () => 'free');

  const first = await app.inject({ url: '/search', headers: { 'x-client': 'a' } });
  expect(first.statusCode).toBe(200);
  expect(first.headers['ratelimit-policy']).toBe('"per-client";q=2;w=10');
  expect(first.headers.ratelimit).toBe('"per-client";r=1;t=5');
  await app.inject({ url: '/search', headers: { 'x-client': 'a' } });
  const denied = await app.inject({ url: '/search', headers: { 'x-client': 'a' } });
  expect(denied.statusCode).toBe(429);
  expect(denied.headers['content-type']).toBe('application/problem+json');
  expect(denied.headers.ratelimit).toBe('"per-client";r=0;t=5');
  expect(Number(denied.headers['retry-after'])).toBeGreaterThanOrEqual(5);
  expect(denied.json()).toMatchObject({ status: 429, 'violated-policies': ['per-client'] });
  expect((await app.inject({ url: '/search', headers: { 'x-client': 'b' } })).statusCode).toBe(200);
  expect((await app.inject('/free')).headers['ratelimit-policy']).toBeUndefined();

  const unusable = await app.inject('/search');
  expect(unusable.statusCode).toBe(400);
  expect(unusable.headers['content-type']).toBe('application/problem+json');
  await app.close();
});
