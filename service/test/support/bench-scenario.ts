import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a short scenario against `target` and returns the file's name within `directory`. */
export function writeScenario(directory: string, target: string, durationMs: number): string {
  writeFileSync(
    join(directory, 'scenario.json'),
    JSON.stringify({
      name: 'quick',
      target,
      requests: [{ path: '/' }],
      connections: 2,
      durationMs,
      warmupMs: 100,
    }),
  );
  return 'scenario.json';
}
