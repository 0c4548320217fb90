/** The error catalogue. Codes are stable; each message names the mistake and the repair. */
const messages = {
  ERR_WEIR_METRICS_INVALID_OPTION: (name: string, expected: string, got: unknown) =>
    `Expected \`${name}\` to be ${expected}, got \`${String(got)}\`.`,
  ERR_WEIR_METRICS_INVALID_NAME: (name: string) =>
    `\`${name}\` is not a metric or label name. Use letters, digits and underscores, and start with a letter.`,
  ERR_WEIR_METRICS_DUPLICATE: (name: string) =>
    `A metric named \`${name}\` is registered already. Reuse the first instrument, or choose another name.`,
  ERR_WEIR_METRICS_INVALID_VALUE: (name: string, value: unknown) =>
    `Expected a finite number for \`${name}\`, at least 0 for a counter, got \`${String(value)}\`.`,
  ERR_WEIR_METRICS_LABELS: (name: string, expected: number, got: number) =>
    `Expected ${expected} label values for \`${name}\`, got ${got}. Pass one value per label, in the order of the definition.`,
  ERR_WEIR_METRICS_INVALID_CLIENT: () =>
    '`instrument` does not know this kind of client. Pass the pool or client object itself; docs/queries.md lists the drivers.',
  ERR_WEIR_METRICS_TRACING_RUNNING: () =>
    'Tracing runs in this process already. Start it once: by `--import @weir/metrics/register` or by `startTracing`, not by both.',
} as const;

/** A stable code of this package's error catalogue. */
export type MetricsErrorCode = keyof typeof messages;

/** The only error class of this package. `code` is stable, `message` carries the repair. */
export class MetricsError extends Error {
  override readonly name = 'MetricsError';
  readonly code: MetricsErrorCode;

  constructor(code: MetricsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The error of a code; the arguments are those of its catalogue entry. */
export function metricsError<C extends MetricsErrorCode>(
  code: C,
  ...args: Parameters<(typeof messages)[C]>
): MetricsError {
  const message = messages[code] as (...values: readonly unknown[]) => string;
  return new MetricsError(code, message(...args));
}

/** Node's largest timer. A longer one would fire at once. */
const maxTimerMs = 2_147_483_647;

/** Throws ERR_WEIR_METRICS_INVALID_OPTION unless `value` is a time that a timer takes: whole milliseconds from 1 to 2,147,483,647. */
export function checkMilliseconds(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= maxTimerMs) return;
  const expected = `a whole number of milliseconds from 1 to ${maxTimerMs}`;
  throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', name, expected, value);
}
