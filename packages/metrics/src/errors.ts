/** The error catalogue. Codes are stable; messages say what was wrong and how to repair it. */
const messages = {
  ERR_WEIR_METRICS_OPTION: (name: string, expected: string, got: unknown) =>
    `Expected \`${name}\` to be ${expected}, got \`${String(got)}\`.`,
  ERR_WEIR_METRICS_NAME: (name: string) =>
    `\`${name}\` is not a metric or label name. Use letters, digits and underscores, and start with a letter.`,
  ERR_WEIR_METRICS_DUPLICATE: (name: string) =>
    `A metric named \`${name}\` is registered already. Keep the instrument you got the first time, or choose another name.`,
  ERR_WEIR_METRICS_VALUE: (name: string, value: unknown) =>
    `\`${name}\` takes finite numbers, counters none below 0; got \`${String(value)}\`.`,
  ERR_WEIR_METRICS_LABELS: (name: string, expected: number, got: number) =>
    `\`${name}\` has ${expected} labels, got ${got} values. Pass one value a label, in the order of the definition.`,
  ERR_WEIR_METRICS_CLIENT: () =>
    'This client is of no kind that `instrument` knows. Pass the pool or client object itself; docs/queries.md lists the drivers.',
  ERR_WEIR_METRICS_TRACING: () =>
    'Tracing runs in this process already. Start it once, by `--import @weir/metrics/register` or by `startTracing`, not by both.',
} as const;

/** A stable code of this package's error catalogue. */
export type MetricsErrorCode = keyof typeof messages;

/** Any error this package throws; switch on `code`. */
export class MetricsError extends Error {
  readonly code: MetricsErrorCode;

  constructor(code: MetricsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MetricsError';
    this.code = code;
  }
}

/** Makes the error of a code from its catalogue entry's arguments. */
export function metricsError<C extends MetricsErrorCode>(
  code: C,
  ...args: Parameters<(typeof messages)[C]>
): MetricsError {
  const message = messages[code] as (...values: readonly unknown[]) => string;
  return new MetricsError(code, message(...args));
}
