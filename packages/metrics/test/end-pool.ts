import type pg from 'pg';
import { vi } from 'vitest';

/**
 * Ends a pool and resolves when its connections are closed too. `end` alone resolves earlier, and a server that then stops under a connection
 * causes an unhandled error. Call it when the pool is created.
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
