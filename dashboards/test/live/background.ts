import { setTimeout as delay } from 'node:timers/promises';

/** The healthy part of the load: popular pages, lists, a search now and then, a stock that changes. No flaw is met. */
export async function background(target: string, signal: AbortSignal): Promise<void> {
  const paths: readonly ((index: number) => string)[] = [
    (index) => `/products/${1 + (index % 40)}`,
    (index) => `/products/${1 + ((index * 7) % 40)}`,
    (index) => `/products?category=lamps&page=${1 + (index % 2)}`,
  ];
  const workers = paths.map((path) =>
    repeat(100, signal, (index) => fetch(target + path(index), { signal })),
  );
  const search = repeat(500, signal, (index) =>
    fetch(`${target}/search?q=oak`, {
      signal,
      headers: { 'x-forwarded-for': `198.51.100.${1 + (index % 200)}` },
    }),
  );
  // More often than the limit on trial allows, so that it has something to say.
  const stock = repeat(800, signal, (index) =>
    fetch(`${target}/products/${1 + (index % 40)}/stock`, {
      signal,
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stock: index % 100 }),
    }),
  );
  // As a load balancer does.
  const health = repeat(1000, signal, () => fetch(`${target}/healthz`, { signal }));
  await Promise.all([...workers, search, stock, health]);
}

async function repeat(
  pauseMs: number,
  signal: AbortSignal,
  ask: (index: number) => Promise<Response>,
): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const response = await ask(index).catch(() => undefined);
    await response?.arrayBuffer().catch(() => {});
    await delay(pauseMs, undefined, { signal }).catch(() => {});
  }
}
