import { EventEmitter } from 'node:events';
import type { BenchmarkProgress } from '@weir/bench';
import type { BenchmarkConfig } from '../config/config.ts';
import { BenchmarkRun } from './benchmark-run.ts';
import type { Run, RunStore } from './run-store.ts';

export interface BenchmarkRunnerOptions {
  readonly store: RunStore;
  readonly benchmarks: readonly BenchmarkConfig[];
  /** Hosts besides loopback that may be loaded. */
  readonly allowTargets: readonly string[];
  readonly now: () => number;
  readonly createId: () => string;
}

interface Active {
  readonly run: Run;
  readonly process: BenchmarkRun;
  readonly events: EventEmitter<{ progress: [BenchmarkProgress]; end: [Run] }>;
  readonly ended: Promise<void>;
  last: BenchmarkProgress | undefined;
}

/** What a reader of a run under way gets; `stop` ends it. */
export interface RunListener {
  readonly onProgress: (progress: BenchmarkProgress) => void;
  readonly onEnd: (run: Run) => void;
}

/** Starts and ends benchmark runs, at most one of each benchmark at a time. */
export class BenchmarkRunner {
  readonly #options: BenchmarkRunnerOptions;
  readonly #active = new Map<string, Active>();

  constructor(options: BenchmarkRunnerOptions) {
    this.#options = Object.freeze({ ...options });
  }

  get benchmarks(): readonly BenchmarkConfig[] {
    return this.#options.benchmarks;
  }

  running(benchmark: string): Run | undefined {
    return this.#active.get(benchmark)?.run;
  }

  /** The new run, or `undefined` when one of this benchmark is under way. */
  start(benchmark: BenchmarkConfig): Run | undefined {
    if (this.#active.has(benchmark.name)) return undefined;
    const { store, now, createId, allowTargets } = this.#options;
    const run: Run = {
      id: createId(),
      benchmark: benchmark.name,
      status: 'running',
      startedAt: new Date(now()).toISOString(),
      endedAt: null,
      result: null,
      error: null,
    };
    store.add(run);
    const events: Active['events'] = new EventEmitter();
    events.setMaxListeners(0);
    const process = new BenchmarkRun({
      file: benchmark.file,
      allowTargets,
      onProgress: (progress) => {
        active.last = progress;
        events.emit('progress', progress);
      },
    });
    const ended = process.ended.then((end) => {
      const finished: Run = { ...run, ...end, endedAt: new Date(now()).toISOString() };
      store.finish(finished);
      this.#active.delete(benchmark.name);
      events.emit('end', finished);
    });
    const active: Active = { run, process, events, ended, last: undefined };
    this.#active.set(benchmark.name, active);
    return run;
  }

  /** Whether this run was under way and is now being ended. */
  cancel(benchmark: string, id: string): boolean {
    const active = this.#active.get(benchmark);
    if (active?.run.id !== id) return false;
    active.process.cancel();
    return true;
  }

  /** Follows a run under way, beginning with its latest progress. Returns how to stop, or `undefined` when it is over. */
  follow(benchmark: string, id: string, listener: RunListener): (() => void) | undefined {
    const active = this.#active.get(benchmark);
    if (active?.run.id !== id) return undefined;
    if (active.last !== undefined) listener.onProgress(active.last);
    active.events.on('progress', listener.onProgress);
    active.events.on('end', listener.onEnd);
    return () => {
      active.events.off('progress', listener.onProgress);
      active.events.off('end', listener.onEnd);
    };
  }

  /** Cancels every run; resolves when all have been recorded. */
  async close(): Promise<void> {
    const all = [...this.#active.values()];
    for (const { process } of all) process.cancel();
    await Promise.all(all.map(({ ended }) => ended));
  }
}
