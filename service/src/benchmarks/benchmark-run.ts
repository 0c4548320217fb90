import { type ChildProcess, fork } from 'node:child_process';
import type { BenchmarkProgress, BenchmarkResult } from '@weir/bench';
import type { BenchMessage, BenchRequest } from './bench-process.ts';

export interface BenchmarkRunOptions extends BenchRequest {
  readonly onProgress: (progress: BenchmarkProgress) => void;
}

/** A child has this long to end after it was asked to; then it is killed. */
const graceMs = 2_000;

export type RunEnd =
  | {
      readonly status: 'finished' | 'cancelled';
      readonly result: BenchmarkResult | null;
      readonly error: null;
    }
  | { readonly status: 'failed'; readonly result: null; readonly error: string };

/** One benchmark in a process of its own, so that the load it makes costs the service no event loop. */
export class BenchmarkRun {
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  #result: BenchmarkResult | null = null;
  #error: string | undefined;
  #isCancelled = false;

  constructor({ file, limits, onProgress }: BenchmarkRunOptions) {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    // The service's secrets are none of the scenario's business.
    const { PATH, HOME, TMPDIR, TZ } = process.env;
    this.#child = fork(new URL(`./bench-process${extension}`, import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { PATH, HOME, TMPDIR, TZ },
    });
    this.#child.on('message', (message: BenchMessage) => {
      if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'result') this.#result = message.result;
      else this.#error = message.message;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve({ status: 'failed', result: null, error: error.message }));
      this.#child.on('exit', (code, signal) => resolve(this.#end(code, signal)));
    });
    this.#child.send({ file, limits } satisfies BenchRequest, () => {});
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
    if (this.#isCancelled) return { status: 'cancelled', result: this.#result, error: null };
    if (this.#result !== null) return { status: 'finished', result: this.#result, error: null };
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    return { status: 'failed', result: null, error: this.#error ?? `the load process ended ${how}` };
  }
}
