import { assertDirectory } from '../report/output-files.ts';
import type { BenchmarkResult } from '../result.ts';
import { branchHistory } from './branch-history.ts';
import { appendHistory, type History, readHistory } from './history.ts';
import { serviceHistory } from './service-history.ts';

/** Where results are kept. */
export interface HistoryStore {
  /**
   * Whether {@link HistoryStore.append} can work, asked before a run; of a service only whether it answers.
   *
   * @throws {@link OptionError}, {@link HistoryBranchError} or {@link ServiceError}
   */
  assertWritable(): Promise<void>;
  /** @returns where the result now is, for a message */
  append(result: BenchmarkResult): Promise<string>;
  read(name: string): Promise<History>;
}

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
