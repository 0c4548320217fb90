/** Samplers by option or by OTEL_TRACES_SAMPLER, and one that records what they pass over so that its end can decide. */
import type { Sampler } from '@opentelemetry/sdk-trace';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

function ratioOf(text: string | undefined): number {
  const ratio = Number(text ?? 1);
  return ratio >= 0 && ratio <= 1 ? ratio : 1;
}

function root(name: string, argument: string | undefined): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratioOf(argument)) : new AlwaysOnSampler();
}

/** The sampler of a ratio given, which follows the parent's decision, else the one of the standard variables. */
export function createSampler(ratio: number | undefined, env: NodeJS.ProcessEnv): Sampler {
  if (ratio !== undefined) return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  const name = env.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on';
  const argument = env.OTEL_TRACES_SAMPLER_ARG;
  if (!name.startsWith('parentbased_')) return root(name, argument);
  return new ParentBasedSampler({ root: root(name.slice('parentbased_'.length), argument) });
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
