/** Samplers by option or by OTEL_TRACES_SAMPLER, and one that records what they pass over so that its end can decide. */
import type { Sampler } from '@opentelemetry/sdk-trace';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import { warnOfVariable } from './variables.ts';

function ratioOf(text: string): number {
  const ratio = Number(text);
  if (text !== '' && ratio >= 0 && ratio <= 1) return ratio;
  warnOfVariable('OTEL_TRACES_SAMPLER_ARG', text, 'a number between 0 and 1', '1 is used');
  return 1;
}

function root(name: string, argument: string | undefined): Sampler | undefined {
  if (name === 'always_on') return new AlwaysOnSampler();
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratioOf(argument ?? '1')) : undefined;
}

/** The sampler of a ratio given, which follows the parent's decision, else the one of the standard variables. */
export function createSampler(ratio: number | undefined, env: NodeJS.ProcessEnv): Sampler {
  if (ratio !== undefined) return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  const name = env.OTEL_TRACES_SAMPLER?.trim() || 'parentbased_always_on';
  const isParentBased = name.startsWith('parentbased_');
  const found = root(isParentBased ? name.slice('parentbased_'.length) : name, env.OTEL_TRACES_SAMPLER_ARG);
  if (found === undefined) {
    const expected = '`always_on`, `always_off` or `traceidratio`, with or without `parentbased_` before it';
    warnOfVariable('OTEL_TRACES_SAMPLER', name, expected, '`parentbased_always_on` is used');
    return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  }
  return isParentBased ? new ParentBasedSampler({ root: found }) : found;
}

/** Records, unsampled, what `sampler` passes over. What it samples stays sampled, and only that is told to others. */
export function recordUnsampled(sampler: Sampler): Sampler {
  return {
    shouldSample(...args) {
      const result = sampler.shouldSample(...args);
      return result.decision === SamplingDecision.NOT_RECORD
        ? { ...result, decision: SamplingDecision.RECORD }
        : result;
    },
    toString: () => `RecordUnsampled{${sampler.toString()}}`,
  };
}
