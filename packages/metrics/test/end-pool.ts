import type pg from 'pg';
import { vi } from 'vitest';

/**
 * Ends a pool and resolves when its connections are closed too: `end` resolves before, and a server that stops under a connection makes
 * an error that nobody listens for. Call it when the pool is made.
 */
export function endingOf(pool: pg.Pool): () => Promise<void> {
  let open = 0;
  pool.on('connect', () => {
    open += 1;
  });
  pool.on('remove', () => {
    open -= 1;
  });
  return async () => {
    await pool.end();
    await vi.waitUntil(() => open === 0);
  };
}
