import { useCallback, useEffect, useState } from 'preact/hooks';
import {
  type BenchmarkEntry,
  type BenchmarkProgress,
  cancelRun,
  followRun,
  listRuns,
  type Run,
  startRun,
} from '../api/benchmarks.ts';
import { messageOf } from '../api/http.ts';

const historyLength = 20;

/** A benchmark as its card shows it. */
interface BenchmarkState {
  /** Ended runs, newest first; `undefined` until known. */
  readonly runs: readonly Run[] | undefined;
  readonly running: Run | undefined;
  /** What the run under way reported so far. */
  readonly progress: readonly BenchmarkProgress[];
  readonly error: string | undefined;
  start(): void;
  cancel(): void;
}

/** Follows the run under way, whoever started it, and reloads the history when it ends. */
export function useBenchmark(benchmark: BenchmarkEntry): BenchmarkState {
  const { name } = benchmark;
  const [runs, setRuns] = useState<readonly Run[] | undefined>(undefined);
  const [running, setRunning] = useState<Run | undefined>(benchmark.running ?? undefined);
  const [progress, setProgress] = useState<readonly BenchmarkProgress[]>([]);
  const [error, setError] = useState<string | undefined>(undefined);
  const fail = useCallback((thrown: unknown) => setError(messageOf(thrown)), []);

  const reload = useCallback(() => {
    listRuns(name, historyLength).then(
      (all) => setRuns(all.filter(({ status }) => status !== 'running' && status !== 'queued')),
      fail,
    );
  }, [name, fail]);

  useEffect(reload, [reload]);

  useEffect(() => {
    if (running === undefined) return;
    return followRun(running, {
      progress: (latest) => setProgress((before) => [...before, latest]),
      end: (ended) => {
        setRunning(undefined);
        setRuns((before = []) =>
          [ended, ...before.filter(({ id }) => id !== ended.id)].slice(0, historyLength),
        );
      },
      lost: () =>
        setError('The connection to the service was lost. The run goes on; progress resumes with it.'),
    });
  }, [running]);

  const start = (): void => {
    setError(undefined);
    setProgress([]);
    startRun(name).then(setRunning, fail);
  };
  const cancel = (): void => {
    if (running !== undefined) cancelRun(running).catch(fail);
  };
  return { runs, running, progress, error, start, cancel };
}
