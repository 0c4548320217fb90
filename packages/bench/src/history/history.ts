import { appendFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ScenarioFileError } from '../errors.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { type ChangePoint, type ChangePointOptions, findChangePoints } from '../stats/change-points.ts';

/** Where results are kept. */
export interface HistoryStore {
  /**
   * Whether {@link HistoryStore.append} can work, asked before a run; of a service only whether it answers.
   *
   * @throws {@link OptionError}, {@link HistoryBranchError} or {@link ServiceRequestError}
   */
  assertWritable(): Promise<void>;
  /** @returns the place of the result, for a message */
  append(result: BenchmarkResult): Promise<string>;
  read(name: string): Promise<History>;
}

/** Results of one benchmark, oldest first. */
export interface History {
  readonly results: readonly BenchmarkResult[];
  /** Lines that could not be parsed: an incomplete write, or another format. */
  readonly skippedLines: number;
}

/**
 * Appends a result to `<directory>/<name>.jsonl`, one JSON object per line. Each line is a single write, so several processes may append; a
 * process that crashes leaves at most one line that readers skip.
 */
export async function appendHistory(directory: string, result: BenchmarkResult): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = historyFile(directory, result.name);
  const text = await readFile(file, 'utf8').catch(() => '');
  await appendFile(file, withLine(text, result).slice(text.length));
  return file;
}

/** A history's text with one more line. An incomplete last line is terminated first. */
export function withLine(text: string, result: BenchmarkResult): string {
  const newline = text === '' || text.endsWith('\n') ? '' : '\n';
  return `${text}${newline}${JSON.stringify(result)}\n`;
}

/** Reads `<directory>/<name>.jsonl`. @throws {@link ScenarioFileError} when there is no history of that name */
export async function readHistory(directory: string, name: string): Promise<History> {
  const file = historyFile(directory, name);
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new ScenarioFileError(
      `${file}: cannot be read (${cause.code}). Append a run with \`weir-bench run --history\`.`,
      { cause },
    );
  });
  return parseHistory(text);
}

/** Parses a history's text. */
export function parseHistory(text: string): History {
  const results: BenchmarkResult[] = [];
  let skippedLines = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const result = parseResult(line);
    if (result === undefined) skippedLines += 1;
    else results.push(result);
  }
  return { results, skippedLines };
}

function parseResult(line: string): BenchmarkResult | undefined {
  try {
    const value = JSON.parse(line) as BenchmarkResult;
    return value.schemaVersion === 1 && typeof value.requests?.perSecond === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Names of the benchmarks in a directory; empty when it does not exist. */
export async function listHistory(directory: string): Promise<string[]> {
  const files = await readdir(directory).catch(() => []);
  return files
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => decodeURIComponent(file.slice(0, -6)))
    .sort();
}

function historyFile(directory: string, name: string): string {
  return join(directory, historyFileName(name));
}

/** `<name>.jsonl`, percent-encoded. */
export function historyFileName(name: string): string {
  return `${encodeURIComponent(name)}.jsonl`;
}

/** A change and the first run after it. `index` is the position of that run among all results, doubted ones included. */
export interface HistoryChange extends ChangePoint {
  readonly metric: 'perSecond' | 'p50' | 'p99';
  /** Whether the change is for the worse. */
  readonly worse: boolean;
  readonly startedAt: string;
  /** Commit of that run, if known. */
  readonly commit?: string;
  /** The commit of the run before it. */
  readonly previousCommit?: string;
}

const series: readonly {
  readonly metric: HistoryChange['metric'];
  readonly better: 1 | -1;
  readonly read: (result: BenchmarkResult) => number;
}[] = [
  { metric: 'perSecond', better: 1, read: ({ requests }) => requests.perSecond },
  { metric: 'p50', better: -1, read: ({ latencyMs }) => latencyMs.p50 },
  { metric: 'p99', better: -1, read: ({ latencyMs }) => latencyMs.p99 },
];

/**
 * Change points of a benchmark's history. Partial and doubted runs are excluded. The rate of an open loop is its schedule, so only its
 * latencies are analysed.
 */
export function findHistoryChanges(
  results: readonly BenchmarkResult[],
  options: ChangePointOptions = {},
): HistoryChange[] {
  const sound = results.filter(
    ({ partial, doubts, requests }) => !partial && (doubts ?? []).length === 0 && requests.total > 0,
  );
  const open = sound.some(({ load }) => load.mode === 'open');
  return series
    .filter(({ metric }) => !open || metric !== 'perSecond')
    .flatMap(({ metric, better, read }) =>
      findChangePoints(sound.map(read), options).map((point): HistoryChange => {
        const run = sound[point.index];
        const commit = run?.environment.commit;
        const previousCommit = sound[point.index - 1]?.environment.commit;
        return {
          ...point,
          index: run === undefined ? point.index : results.indexOf(run),
          metric,
          worse: point.change * better < 0,
          startedAt: run?.startedAt ?? '',
          ...(commit === undefined ? {} : { commit }),
          ...(previousCommit === undefined ? {} : { previousCommit }),
        };
      }),
    );
}
