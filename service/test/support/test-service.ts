import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ConfigFile } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Service, type StartServiceOptions, startService } from '../../src/start-service.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface TestService extends Service {
  readonly directory: string;
  /** Takes another configuration over. */
  change(config: Partial<ConfigFile>): Promise<void>;
}

/** The whole service within the test's process, on a free port, ended with the test. */
export async function startTestService(
  config: Partial<ConfigFile> = {},
  directory: string = temporaryDirectory(),
  options: Omit<StartServiceOptions, 'config'> = {},
): Promise<TestService> {
  const load = (changes: Partial<ConfigFile>) => {
    const path = join(directory, 'weir.config.json');
    writeFileSync(path, JSON.stringify({ targets: [], scrape: { interval: '200ms' }, ...changes }));
    return loadConfig(path, { PORT: '0' });
  };
  const service = await startService({ ...options, config: load(config) });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await service.close();
  };
  onTestFinished(close);
  return { ...service, close, directory, change: (changes) => service.reload(load(changes)) };
}
