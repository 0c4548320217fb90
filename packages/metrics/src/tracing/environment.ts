/**
 * OpenTelemetry's standard variables of sampling and exporting. As its specification asks, an unknown value is ignored with a warning, so that
 * the program starts all the same.
 */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

/** The sampler of `ratio`, which follows the parent's decision; without a ratio that of OTEL_TRACES_SAMPLER. */
export function createSampler(ratio: number | undefined, env: NodeJS.ProcessEnv): Sampler {
  if (ratio !== undefined) return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  const name = env.OTEL_TRACES_SAMPLER?.trim() || 'parentbased_always_on';
  const isParentBased = name.startsWith('parentbased_');
  const rootName = isParentBased ? name.slice('parentbased_'.length) : name;
  const root = rootSampler(rootName, env.OTEL_TRACES_SAMPLER_ARG);
  if (root === undefined) {
    const expected = '`always_on`, `always_off` or `traceidratio`, with or without `parentbased_` before it';
    warnOfVariable('OTEL_TRACES_SAMPLER', name, expected, '`parentbased_always_on` is used');
    return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  }
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(name: string, argument: string | undefined): Sampler | undefined {
  if (name === 'always_on') return new AlwaysOnSampler();
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratioOf(argument ?? '1')) : undefined;
}

function ratioOf(text: string): number {
  const ratio = Number(text);
  if (text !== '' && ratio >= 0 && ratio <= 1) return ratio;
  warnOfVariable('OTEL_TRACES_SAMPLER_ARG', text, 'a number between 0 and 1', '1 is used');
  return 1;
}

const known = ['otlp', 'console', 'none'] as const;

/** The exporters that OTEL_TRACES_EXPORTER lists, each once: `otlp` if it lists no known one, none at all for `none` alone. */
export function exporterNames(env: NodeJS.ProcessEnv): readonly ('otlp' | 'console')[] {
  const names = (env.OTEL_TRACES_EXPORTER ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const listed = known.filter((name) => names.includes(name));
  const isDefault = listed.length === 0;
  for (const name of names.filter((given) => !known.includes(given as (typeof known)[number]))) {
    const instead = isDefault ? '`otlp` is used' : 'it is left out';
    warnOfVariable('OTEL_TRACES_EXPORTER', name, 'a list of `otlp` and `console`, or `none`', instead);
  }
  if (isDefault) return ['otlp'];
  return listed.filter((name) => name !== 'none');
}

function warnOfVariable(variable: string, value: string, expected: string, instead: string): void {
  process.emitWarning(
    `Expected ${variable} to be ${expected}, got \`${value}\`; ${instead}.`,
    'TracingWarning',
  );
}
