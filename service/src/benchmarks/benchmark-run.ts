import { type ChildProcess, fork } from 'node:child_process';
import type { BenchmarkProgress, BenchmarkResult } from '@weir/bench';
import type { BenchMessage, BenchRequest } from './bench-process.ts';
import type { Artefact } from './run-store.ts';

interface BenchmarkRunOptions extends BenchRequest {
  /** Where commands of the scenario run. */
  readonly directory: string;
  readonly onProgress: (progress: BenchmarkProgress) => void;
  readonly runLimits?: RunLimits;
}

/** How long a child may take for what is not load, and to end. */
export interface RunLimits {
  /**
   * Added to `load.maxDuration` for what stands around the load: starting the process, loading the scenario, the last answers
   * [15,000].
   */
  readonly overheadMs?: number;
  /** A child has this long to end after it was asked to; then it is killed [2,000]. */
  readonly graceMs?: number;
}

export interface RunEnd {
  readonly status: 'finished' | 'cancelled' | 'failed';
  readonly result: BenchmarkResult | null;
  /** Of a finished run: why it has no profile. */
  readonly error: string | null;
  readonly artefacts: readonly Artefact[];
}

/**
 * One benchmark in a process of its own, so that the load it makes costs the service no event loop. Whatever the process does, it
 * ends: a measurement within `load.maxDuration` and an overhead, a profile within as much again for each run of a build and
 * for each preparation of one.
 */
export class BenchmarkRun {
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  #result: BenchmarkResult | null = null;
  #error: string | undefined;
  #artefacts: readonly Artefact[] = [];
  #isCancelled = false;
  #isStopping = false;
  /** Why the run was stopped by its limits. */
  #overrun: string | undefined;
  /** Whether that was before the measurement had ended. */
  #isCut = false;
  #deadline: NodeJS.Timeout | undefined;
  readonly #graceMs: number;
  readonly #isProfiled: boolean;

  constructor({ file, directory, limits, profile, onProgress, runLimits = {} }: BenchmarkRunOptions) {
    const { overheadMs = 15_000, graceMs = 2_000 } = runLimits;
    this.#graceMs = graceMs;
    this.#isProfiled = profile !== undefined;
    const limitMs = limits.maxDurationMs + overheadMs;
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    // The service's secrets are none of the scenario's business.
    const { PATH, HOME, TMPDIR, TZ } = process.env;
    this.#child = fork(new URL(`./bench-process${extension}`, import.meta.url), {
      cwd: directory,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { PATH, HOME, TMPDIR, TZ },
    });
    this.#child.on('message', (message: BenchMessage) => {
      if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'result') {
        this.#result = message.result;
        if (profile !== undefined) this.#limit('the profile', limitMs * (2 * profile.rounds + 2));
      } else if (message.type === 'artefacts') this.#artefacts = message.artefacts;
      else this.#error = message.message;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        clearTimeout(this.#deadline);
        resolve({ status: 'failed', result: null, error: error.message, artefacts: [] });
      });
      this.#child.on('exit', (code, signal) => {
        clearTimeout(this.#deadline);
        // Its last messages may still be on their way: the files of a profile are megabytes.
        const end = (): void => resolve(this.#end(code, signal));
        if (this.#child.connected) this.#child.once('disconnect', end);
        else end();
      });
    });
    this.#child.send({ file, limits, profile } satisfies BenchRequest, () => {});
    this.#limit('the load process', limitMs);
  }

  /** Ends the load; `ended` settles soon after. */
  cancel(): void {
    this.#isCancelled = true;
    this.#stop();
  }

  #limit(what: string, ms: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#isCut = this.#result === null;
      this.#overrun = `${what} had not ended after ${ms} ms, the limit that follows from \`load.maxDuration\``;
      this.#stop();
    }, ms);
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    if (this.#child.connected) this.#child.send('cancel', () => {});
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#graceMs);
    this.#child.once('exit', () => clearTimeout(timer));
  }

  #end(code: number | null, signal: NodeJS.Signals | null): RunEnd {
    const artefacts = this.#artefacts;
    if (this.#isCancelled) return { status: 'cancelled', result: this.#result, error: null, artefacts };
    const reason = this.#overrun ?? this.#error;
    if (this.#result !== null && !this.#isCut) {
      const error = this.#isProfiled && reason !== undefined ? `no profile: ${reason}` : null;
      return { status: 'finished', result: this.#result, error, artefacts };
    }
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    const error = reason ?? `the load process ended ${how}`;
    return { status: 'failed', result: this.#result, error, artefacts };
  }
}
