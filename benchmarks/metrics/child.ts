import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** An arm of the benchmark in a process of its own, run from the built packages. */
export class Arm {
  readonly #child: ChildProcess;

  constructor(file: string, args: readonly string[]) {
    this.#child = fork(join(import.meta.dirname, file), args, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
  }

  /** The next message of the child; rejects if it ends first. */
  receive<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`An arm ended with code ${code}.`));
      this.#child.once('exit', onExit);
      this.#child.once('message', (message) => {
        this.#child.off('exit', onExit);
        resolve(message as T);
      });
    });
  }

  ask<T>(message: string | object): Promise<T> {
    const answer = this.receive<T>();
    this.#child.send(message);
    return answer;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGTERM');
    });
  }
}
