import { UsageError } from './usage-error.ts';

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
