import { type ChildProcess, fork } from 'node:child_process';
import type { BenchmarkProgress, BenchmarkResult } from '@weir/bench';
import type { BenchMessage, BenchRequest } from './bench-process.ts';
import type { Artefact } from './run-store.ts';

export interface BenchmarkRunOptions extends BenchRequest {
  /** Where commands of the scenario run. */
  readonly directory: string;
  readonly onProgress: (progress: BenchmarkProgress) => void;
}

/** A child has this long to end after it was asked to; then it is killed. */
const graceMs = 2_000;

export interface RunEnd {
  readonly status: 'finished' | 'cancelled' | 'failed';
  readonly result: BenchmarkResult | null;
  /** Of a finished run: why it has no profile. */
  readonly error: string | null;
  readonly artefacts: readonly Artefact[];
}

/** One benchmark in a process of its own, so that the load it makes costs the service no event loop. */
export class BenchmarkRun {
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  #result: BenchmarkResult | null = null;
  #error: string | undefined;
  #artefacts: readonly Artefact[] = [];
  #isCancelled = false;

  constructor({ file, directory, limits, profile, onProgress }: BenchmarkRunOptions) {
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
      else if (message.type === 'result') this.#result = message.result;
      else if (message.type === 'artefacts') this.#artefacts = message.artefacts;
      else this.#error = message.message;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) =>
        resolve({ status: 'failed', result: null, error: error.message, artefacts: [] }),
      );
      this.#child.on('exit', (code, signal) => {
        // Its last messages may still be on their way: the files of a profile are megabytes.
        const end = (): void => resolve(this.#end(code, signal));
        if (this.#child.connected) this.#child.once('disconnect', end);
        else end();
      });
    });
    this.#child.send({ file, limits, profile } satisfies BenchRequest, () => {});
  }

  /** Ends the load; `ended` settles soon after. */
  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    if (this.#child.connected) this.#child.send('cancel', () => {});
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    this.#child.once('exit', () => clearTimeout(timer));
  }

  #end(code: number | null, signal: NodeJS.Signals | null): RunEnd {
    const artefacts = this.#artefacts;
    if (this.#isCancelled) return { status: 'cancelled', result: this.#result, error: null, artefacts };
    if (this.#result !== null) {
      const error = this.#error === undefined ? null : `no profile: ${this.#error}`;
      return { status: 'finished', result: this.#result, error, artefacts };
    }
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    const error = this.#error ?? `the load process ended ${how}`;
    return { status: 'failed', result: null, error, artefacts };
  }
}
