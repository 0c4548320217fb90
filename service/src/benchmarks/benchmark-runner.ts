import { EventEmitter } from 'node:events';
import type { BenchmarkProgress } from '@weir/bench';
import { Cron } from 'croner';
import type { BenchmarkConfig, LoadConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { BenchmarkRun, type RunEnd, type RunLimits } from './benchmark-run.ts';
import type { Artefact, Run, RunStore } from './run-store.ts';

interface BenchmarkRunnerOptions {
  readonly store: RunStore;
  readonly now: () => number;
  readonly createId: () => string;
  readonly onError: (message: string) => void;
  /** Called when a schedule starts a benchmark or is refused. */
  readonly onScheduled?: (benchmark: string, outcome: StartOutcome) => void;
  readonly runLimits?: RunLimits;
}

const retryMs = 5_000;

type Events = EventEmitter<{ begin: [Run]; progress: [BenchmarkProgress]; end: [Run] }>;

interface Active {
  run: Run;
  readonly benchmark: BenchmarkConfig;
  readonly events: Events;
  /** `undefined` while queued. */
  process: BenchmarkRun | undefined;
  last: BenchmarkProgress | undefined;
  readonly isProfiled: boolean;
}

/** The callbacks of {@link BenchmarkRunner.follow}. */
interface RunListener {
  /** Called when a queued run begins. */
  readonly onBegin: (run: Run) => void;
  readonly onProgress: (progress: BenchmarkProgress) => void;
  readonly onEnd: (run: Run) => void;
}

type StartOutcome = { readonly run: Run } | { readonly refused: 'active' | 'load-off' | 'no-profile' };

/**
 * Starts and ends benchmark runs, on demand and by schedule. Each benchmark has at most one run at a time. Only one run of all
 * generates load, because two loads on one machine disturb each other; the others are queued.
 */
export class BenchmarkRunner {
  readonly #options: BenchmarkRunnerOptions;
  /** By benchmark, in the order of their start. */
  readonly #active = new Map<string, Active>();
  #benchmarks: readonly BenchmarkConfig[] = [];
  #load: LoadConfig = { enabled: false, allow: [], maxConnections: 1, maxDurationMs: 1 };
  #schedules: Cron[] = [];

  constructor(options: BenchmarkRunnerOptions) {
    this.#options = Object.freeze({ ...options });
  }

  get benchmarks(): readonly BenchmarkConfig[] {
    return this.#benchmarks;
  }

  /** Applies a configuration. With `load.enabled` off, all runs are cancelled. */
  update(benchmarks: readonly BenchmarkConfig[], load: LoadConfig): void {
    this.#benchmarks = benchmarks;
    this.#load = load;
    for (const schedule of this.#schedules) schedule.stop();
    const report = (thrown: unknown): void => this.#options.onError(`schedule: ${messageOf(thrown)}`);
    this.#schedules = benchmarks.flatMap((benchmark) =>
      benchmark.schedule === undefined
        ? []
        : [
            new Cron(benchmark.schedule, { unref: true, catch: report }, () => {
              const outcome = this.start(benchmark);
              this.#options.onScheduled?.(benchmark.name, outcome);
            }),
          ],
    );
    if (!load.enabled) this.cancelAll();
  }

  /** The queued or active run of a benchmark. */
  running(benchmark: string): Run | undefined {
    return this.#active.get(benchmark)?.run;
  }

  /** The benchmark under load with its latest progress. */
  get progress():
    | { readonly benchmark: string; readonly progress: BenchmarkProgress | undefined }
    | undefined {
    const [first] = this.#active.values();
    return first?.process === undefined
      ? undefined
      : { benchmark: first.benchmark.name, progress: first.last };
  }

  /** @param isProfiled Whether the builds of the benchmark's `profile` section are profiled after the measurement. */
  start(benchmark: BenchmarkConfig, isProfiled = false): StartOutcome {
    if (!this.#load.enabled) return { refused: 'load-off' };
    if (isProfiled && benchmark.profile === undefined) return { refused: 'no-profile' };
    if (this.#active.has(benchmark.name)) return { refused: 'active' };
    const { store, now, createId } = this.#options;
    const isBusy = this.#active.size > 0;
    const run: Run = {
      id: createId(),
      benchmark: benchmark.name,
      status: isBusy ? 'queued' : 'running',
      origin: 'service',
      startedAt: new Date(now()).toISOString(),
      endedAt: null,
      result: null,
      error: null,
      artefacts: [],
    };
    store.add(run);
    const events: Events = new EventEmitter();
    events.setMaxListeners(0);
    const active: Active = { run, benchmark, events, process: undefined, last: undefined, isProfiled };
    this.#active.set(benchmark.name, active);
    if (!isBusy) this.#begin(active);
    return { run };
  }

  /** Cancels a queued or active run. Returns whether there was such a run. */
  cancel(benchmark: string, id: string): boolean {
    const active = this.#active.get(benchmark);
    if (active?.run.id !== id) return false;
    if (active.process === undefined) this.#end(active, { status: 'cancelled', ...nothing });
    else active.process.cancel();
    return true;
  }

  /** Cancels all queued and active runs; returns how many. */
  cancelAll(): number {
    // The queue first, so that no queued run begins when the active one ends.
    const all = [...this.#active.values()].reverse();
    for (const { run } of all) this.cancel(run.benchmark, run.id);
    return all.length;
  }

  /** Subscribes to a run, beginning with its latest progress. Returns the function that unsubscribes; `undefined` when the run has ended. */
  follow(benchmark: string, id: string, listener: RunListener): (() => void) | undefined {
    const active = this.#active.get(benchmark);
    if (active?.run.id !== id) return undefined;
    if (active.last !== undefined) listener.onProgress(active.last);
    active.events.on('begin', listener.onBegin);
    active.events.on('progress', listener.onProgress);
    active.events.on('end', listener.onEnd);
    return () => {
      active.events.off('begin', listener.onBegin);
      active.events.off('progress', listener.onProgress);
      active.events.off('end', listener.onEnd);
    };
  }

  /** Cancels every run; resolves when all are recorded. */
  async close(): Promise<void> {
    for (const schedule of this.#schedules) schedule.stop();
    this.#load = { ...this.#load, enabled: false };
    const ends = [...this.#active.values()].map(
      ({ events }) => new Promise((resolve) => events.once('end', resolve)),
    );
    this.cancelAll();
    await Promise.all(ends);
  }

  #begin(active: Active): void {
    const process = new BenchmarkRun({
      file: active.benchmark.file,
      directory: active.benchmark.directory,
      limits: this.#load,
      ...(this.#options.runLimits === undefined ? {} : { runLimits: this.#options.runLimits }),
      profile: active.isProfiled ? active.benchmark.profile : undefined,
      onProgress: (progress) => {
        active.last = progress;
        active.events.emit('progress', progress);
      },
    });
    active.process = process;
    void process.ended.then((end) => this.#end(active, end));
  }

  #end(active: Active, { artefacts, ...end }: RunEnd): void {
    const { now } = this.#options;
    const finished: Run = {
      ...active.run,
      ...end,
      endedAt: new Date(now()).toISOString(),
      artefacts: artefacts.map(({ name }) => name).sort(),
    };
    this.#record(finished, artefacts);
    this.#active.delete(active.run.benchmark);
    active.events.emit('end', finished);
    this.#beginNext();
  }

  // A full disk must not cost the result: it is written when there is room again.
  #record(finished: Run, artefacts: readonly Artefact[]): void {
    try {
      this.#options.store.finish(finished, artefacts);
    } catch (thrown) {
      this.#options.onError(`${finished.benchmark}: result not written yet: ${messageOf(thrown)}`);
      setTimeout(() => this.#record(finished, artefacts), retryMs).unref();
    }
  }

  #beginNext(): void {
    const [next] = this.#active.values();
    if (next === undefined || next.process !== undefined || !this.#load.enabled) return;
    next.run = { ...next.run, status: 'running', startedAt: new Date(this.#options.now()).toISOString() };
    try {
      this.#options.store.begin(next.run);
    } catch (thrown) {
      this.#end(next, { ...nothing, status: 'failed', error: messageOf(thrown) });
      return;
    }
    next.events.emit('begin', next.run);
    this.#begin(next);
  }
}

const nothing = { result: null, error: null, artefacts: [] } as const;
