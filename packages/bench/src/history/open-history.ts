import { createHash } from 'node:crypto';
import { askService, type ServiceAddress, type ServiceRun, serviceName } from '../load/run-at-service.ts';
import { assertDirectory } from '../process/output-files.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { branchHistory } from './branch-history.ts';
import { appendHistory, type HistoryStore, readHistory } from './history.ts';

/** Options of {@link openHistory}. */
export interface OpenHistoryOptions {
  /** Of the service, with the role `bench`. */
  readonly token?: string | undefined;
  /** In the repository whose branch holds the history. @defaultValue the working directory */
  readonly directory?: string;
}

/**
 * Opens a history by its place: `git:<branch>` is a branch of its own in the repository, `http://…` or `https://…` a Weir service,
 * anything else a directory.
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

/** A history that a Weir service keeps, beside the runs that it made itself. */
function serviceHistory(service: ServiceAddress): HistoryStore {
  return {
    /** Only that it is there: whether the token may push is known when it does. */
    async assertWritable() {
      const response = await askService(service, '/healthz');
      await response.body?.cancel();
    },
    async append(result) {
      const body = JSON.stringify(result);
      const response = await askService(service, `/benchmarks/${serviceName(result.name)}/results`, {
        method: 'POST',
        body,
        // A result that is pushed twice, because an answer was lost, is one.
        headers: { 'idempotency-key': createHash('sha256').update(body).digest('hex') },
      });
      await response.body?.cancel();
      return new URL(response.headers.get('location') ?? '/', service.url).href;
    },
    async read(name) {
      const path = `/benchmarks/${serviceName(name)}/runs?limit=${readLast}`;
      const runs = (await (await askService(service, path)).json()) as ServiceRun[];
      // Newest first there, oldest first here.
      const results = runs
        .reverse()
        .flatMap(({ result }): BenchmarkResult[] => (result === null ? [] : [result]));
      return { results, skippedLines: 0 };
    },
  };
}
