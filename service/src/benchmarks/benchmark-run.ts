import { type ChildProcess, fork } from 'node:child_process';
import type { BenchmarkProgress, BenchmarkResult } from '@weir/bench';
import type { BenchMessage, BenchRequest } from './bench-process.ts';
import type { Artefact } from './run-store.ts';

interface BenchmarkRunOptions extends BenchRequest {
  /** Working directory of the scenario's commands. */
  readonly directory: string;
  readonly onProgress: (progress: BenchmarkProgress) => void;
  readonly runLimits?: RunLimits;
}

/** How long the child process may take besides its load. */
export interface RunLimits {
  /**
   * Milliseconds added to `load.maxDuration` for starting the process, reading the scenario and the last answers.
   * @defaultValue 15,000
   */
  readonly overheadMs?: number;
  /**
   * Milliseconds between the request to end and SIGKILL.
   * @defaultValue 2,000
   */
  readonly graceMs?: number;
}

export interface RunEnd {
  readonly status: 'finished' | 'cancelled' | 'failed';
  readonly result: BenchmarkResult | null;
  /** Why the run failed or, of a finished run, why it has no profile. */
  readonly error: string | null;
  readonly artefacts: readonly Artefact[];
}

/**
 * One benchmark in its own process, so that load generation does not share the service's event loop. The process always ends: the
 * measurement within `load.maxDuration` plus an overhead, the profile within the same time for each run and each preparation of a
 * build.
 */
export class BenchmarkRun {
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  #result: BenchmarkResult | null = null;
  #error: string | undefined;
  #artefacts: readonly Artefact[] = [];
  #isCancelled = false;
  #isStopping = false;
  /** Which limit stopped the run. */
  #overrun: string | undefined;
  /** Whether the limit stopped it before the measurement had ended. */
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
    // The scenario must not see the service's secrets.
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
        // The last messages, such as the megabytes of a profile, may still be in transit.
        const end = (): void => resolve(this.#end(code, signal));
        if (this.#child.connected) this.#child.once('disconnect', end);
        else end();
      });
    });
    this.#child.send({ file, limits, profile } satisfies BenchRequest, () => {});
    this.#limit('the load process', limitMs);
  }

  /** Ends the load; `ended` resolves within the grace period. */
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
