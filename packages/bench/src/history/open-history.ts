import { createHash } from 'node:crypto';
import { askService, type ServiceAddress, type ServiceRun, serviceName } from '../load/run-at-service.ts';
import { assertDirectory } from '../process/output-files.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { branchHistory } from './branch-history.ts';
import { appendHistory, type HistoryStore, readHistory } from './history.ts';

/** Options of {@link openHistory}. */
export interface OpenHistoryOptions {
  /** Token of the service, with the role `bench`. */
  readonly token?: string | undefined;
  /** A directory of the repository with the history's branch. @defaultValue the working directory */
  readonly directory?: string;
}

/**
 * Opens a history. `git:<branch>` is a branch of the repository, `http://…` or `https://…` a Weir service, any other place a
 * directory.
 *
 * @throws {@link OptionError} for a branch that cannot be one
 */
export function openHistory(place: string, options: OpenHistoryOptions = {}): HistoryStore {
  const { token, directory = process.cwd() } = options;
  if (place.startsWith('git:')) return branchHistory(place.slice('git:'.length), directory);
  if (/^https?:\/\//.test(place))
    return serviceHistory({ url: place, ...(token === undefined ? {} : { token }) });
  return {
    assertWritable: () => assertDirectory(place),
    append: (result) => appendHistory(place, result),
    read: (name) => readHistory(place, name),
  };
}

const readLast = 1_000;

/** A history in a Weir service, together with the service's own runs. */
function serviceHistory(service: ServiceAddress): HistoryStore {
  return {
    /** Checks only that the service answers. The service checks the token when a result is pushed. */
    async assertWritable() {
      const response = await askService(service, '/healthz');
      await response.body?.cancel();
    },
    async append(result) {
      const body = JSON.stringify(result);
      const response = await askService(service, `/benchmarks/${serviceName(result.name)}/results`, {
        method: 'POST',
        body,
        // A result that is pushed again, because the answer was lost, is stored once.
        headers: { 'idempotency-key': createHash('sha256').update(body).digest('hex') },
      });
      await response.body?.cancel();
      return new URL(response.headers.get('location') ?? '/', service.url).href;
    },
    async read(name) {
      const path = `/benchmarks/${serviceName(name)}/runs?limit=${readLast}`;
      const runs = (await (await askService(service, path)).json()) as ServiceRun[];
      // The service returns the newest run first.
      const results = runs
        .reverse()
        .flatMap(({ result }): BenchmarkResult[] => (result === null ? [] : [result]));
      return { results, skippedLines: 0 };
    },
  };
}
