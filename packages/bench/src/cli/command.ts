import type { ProgressStream } from '../report/live.ts';

/** What a command may touch of its process. */
export interface CommandContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressStream;
  /** Aborted by the first Ctrl-C, SIGTERM or hangup of the terminal: stop, report what there is. */
  readonly signal: AbortSignal;
}

/** A command of `weir-bench`. */
export interface Command {
  readonly usage: string;
  /** @returns the exit code */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}
