import type { CompareResult } from '../compare/compare-builds.ts';
import { BenchError } from '../errors.ts';
import type { ProgressStream } from '../report/live.ts';

/** A command of `weir-bench`. */
export interface Command {
  readonly usage: string;
  /** @returns the exit code */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}

/** The parts of the process that a command may use. */
export interface CommandContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressStream;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP: the command stops and reports what was measured. */
  readonly signal: AbortSignal;
}

/** Exit codes of `weir-bench`. They are stable, since scripts depend on them. */
export const exitCode: {
  readonly pass: 0;
  readonly regression: 1;
  readonly inconclusive: 2;
  readonly invalid: 3;
  readonly refusedTarget: 4;
  readonly usage: 64;
  readonly interrupted: 130;
} = Object.freeze({
  pass: 0,
  /** A regression was found or an objective missed. */
  regression: 1,
  inconclusive: 2,
  /** The run is doubted, or could not be made. */
  invalid: 3,
  refusedTarget: 4,
  /** Wrong arguments or a wrong scenario (EX_USAGE of sysexits.h). */
  usage: 64,
  /** Interrupted, after a report of what was measured. */
  interrupted: 130,
});

/** The exit code of an error of the catalogue; `undefined` for any other error, which is a bug. */
export function exitCodeOf(error: unknown): number | undefined {
  if (!(error instanceof BenchError)) return undefined;
  switch (error.code) {
    case 'ERR_WEIR_BENCH_SCENARIO':
    case 'ERR_WEIR_BENCH_FILE':
    case 'ERR_WEIR_BENCH_ARM':
    case 'ERR_WEIR_BENCH_OPTION':
    case 'ERR_WEIR_BENCH_HISTORY':
      return exitCode.usage;
    case 'ERR_WEIR_BENCH_TARGET_REFUSED':
      return exitCode.refusedTarget;
    case 'ERR_WEIR_BENCH_UNREACHABLE':
    case 'ERR_WEIR_BENCH_START':
    case 'ERR_WEIR_BENCH_TARGET_ENDED':
    case 'ERR_WEIR_BENCH_GENERATOR':
    case 'ERR_WEIR_BENCH_PROFILE':
    case 'ERR_WEIR_BENCH_SERVICE':
      return exitCode.invalid;
  }
}

/** The exit code of a comparison that was not interrupted. */
export function exitCodeOfVerdict(verdict: CompareResult['verdict']): number {
  switch (verdict) {
    case 'faster':
    case 'same':
      return exitCode.pass;
    case 'slower':
      return exitCode.regression;
    case 'inconclusive':
      return exitCode.inconclusive;
    case 'invalid':
      return exitCode.invalid;
  }
}

/** Reads a number from the command line. @throws UsageError with one line */
export function numberOption(
  name: string,
  text: string,
  bounds: { readonly min: number; readonly whole?: boolean },
): number {
  const value = Number(text);
  const whole = bounds.whole === true;
  if (
    text.trim() === '' ||
    !Number.isFinite(value) ||
    value < bounds.min ||
    (whole && !Number.isInteger(value))
  ) {
    throw new UsageError(
      `expected ${name} to be a ${whole ? 'whole ' : ''}number of at least ${bounds.min}, got \`${text}\``,
    );
  }
  return value;
}

/** Wrong arguments on the command line; printed as one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
