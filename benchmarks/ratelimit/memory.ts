import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const measuredStores = [
  'weir',
  'Map of numbers',
  'express-rate-limit store',
  '@fastify/rate-limit store',
  'rate-limiter-flexible',
] as const;

/** A store whose keys are weighed. */
export type MeasuredStore = (typeof measuredStores)[number];

/** What keys take in one store. */
export interface MemoryFigure {
  /** Heap and array buffers, with the keys' own strings where the store keeps them. */
  readonly bytesPerKey: number;
  /** The longest single insertion, collections included, which is what a request can wait for. */
  readonly longestInsertMs: number;
}

/** Inserts `count` new keys into each store, each in a process of its own, so that none weighs what others left. */
export async function measureMemory(count: number): Promise<Record<string, MemoryFigure>> {
  const figures: Record<string, MemoryFigure> = {};
  const flags = [...new Set([...process.execArgv, '--expose-gc'])];
  for (const store of measuredStores) {
    const arm = [...flags, join(import.meta.dirname, 'memory-arm.ts'), store, String(count)];
    const { stdout } = await promisify(execFile)(process.execPath, arm);
    figures[store] = JSON.parse(stdout) as MemoryFigure;
  }
  return figures;
}
