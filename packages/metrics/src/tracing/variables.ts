/** Standard variables whose value is not known: OpenTelemetry has them ignored with a warning, so that a program starts all the same. */

/** Warns of a variable's value; `instead` says what happens. */
export function warnOfVariable(variable: string, value: string, expected: string, instead: string): void {
  process.emitWarning(
    `Expected ${variable} to be ${expected}, got \`${value}\`; ${instead}.`,
    'TracingWarning',
  );
}

const KNOWN = ['otlp', 'console', 'none'] as const;

/** Where spans go. */
export type ExporterName = 'otlp' | 'console';

/** The exporters that OTEL_TRACES_EXPORTER lists, each once; `otlp` where it names none that is known. `none` alone is none. */
export function exporterNames(env: NodeJS.ProcessEnv): readonly ExporterName[] {
  const names = (env.OTEL_TRACES_EXPORTER ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const known = KNOWN.filter((name) => names.includes(name));
  const isDefault = known.length === 0;
  for (const name of names.filter((given) => !KNOWN.includes(given as (typeof KNOWN)[number]))) {
    const instead = isDefault ? '`otlp` is used' : 'it is left out';
    warnOfVariable('OTEL_TRACES_EXPORTER', name, 'a list of `otlp` and `console`, or `none`', instead);
  }
  if (isDefault) return ['otlp'];
  return known.filter((name) => name !== 'none');
}
