import { PromqlError, parse, parseMetricSelector } from '@weir/promql';
import { explainResult } from '../../src/benchmarks/run-store.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { parseRules } from '../../src/config/rule-file.ts';
import { ServiceError } from '../../src/errors.ts';
import { readTargetGroups } from '../../src/exchange/target-lists.ts';
import { ApiParameters } from '../../src/http/prometheus-parameters.ts';
import { ExpositionParser } from '../../src/ingest/exposition-parser.ts';
import { exportMetricsRequest, readMessage } from '../../src/ingest/otlp-messages.ts';
import { LineError, parseLabelSet, parseSeriesText } from '../../src/ingest/series-text.ts';
import { translateOtlp } from '../../src/ingest/translate-otlp.ts';
import { expandTemplate } from '../../src/rules/expand-template.ts';
import { readSealedChunk } from '../../src/store/sealed-chunk.ts';
import { createMutator } from './mutate.ts';
import { seedsOf } from './seeds.ts';

export interface FuzzOutcome {
  readonly inputs: number;
  /** Thrown values that are no answer to a wrong input. */
  readonly crashes: readonly string[];
  /** Inputs that took longer than 100 ms, twice. */
  readonly stalls: readonly string[];
  readonly slowestMs: number;
}

type Target = (bytes: Uint8Array) => void;

const limits = { maxSamples: 200_000, maxLabels: 64, maxLabelValueLength: 4_096 };

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const expose =
  (format: 'text' | 'openmetrics'): Target =>
  (bytes) => {
    const parser = new ExpositionParser(format, {
      sample: (series) => void parseSeriesText(series),
      exemplar: (labels) => void parseLabelSet(labels),
      metadata: () => {},
    });
    parser.push(bytes.subarray(0, bytes.length >> 1));
    parser.push(bytes.subarray(bytes.length >> 1));
    parser.end();
  };

/** Every parser that reads what comes from outside. */
const targets: Readonly<Record<string, Target>> = {
  text: expose('text'),
  openmetrics: expose('openmetrics'),
  otlpProtobuf: (bytes) => void translateOtlp(readMessage(bytes, exportMetricsRequest), 0, limits),
  otlpJson: (bytes) => {
    const parsed: unknown = JSON.parse(text(bytes));
    if (typeof parsed === 'object' && parsed !== null)
      translateOtlp(parsed as Record<string, unknown>, 0, limits);
  },
  promql: (bytes) => void parse(text(bytes)),
  selector: (bytes) => void parseMetricSelector(text(bytes)),
  config: (bytes) => void parseConfig('/nowhere/weir.config.json', text(bytes)),
  rules: (bytes) => void parseRules('rules.yml', text(bytes), 60_000, []),
  template: (bytes) =>
    void expandTemplate(text(bytes), { labels: { job: 'a' }, value: 2, externalUrl: '', query: () => [] }),
  targetList: (bytes) =>
    void readTargetGroups(JSON.parse(text(bytes)), { job: 'a', scheme: 'http', path: '/metrics' }, []),
  result: (bytes) => void explainResult(JSON.parse(text(bytes))),
  parameters: (bytes) => {
    const parameters = new ApiParameters(`/?${text(bytes)}`, new URLSearchParams(text(bytes)));
    parameters.timeMs('time');
    parameters.limit();
    parameters.range();
  },
  chunk: (bytes) => readSealedChunk(bytes, 50, 0, new Float64Array(50), new Float64Array(50), 0),
};

const stallMs = 100;

/** The same number of inputs into each parser. */
export function fuzzParsers(inputsEach: number, random: () => number): FuzzOutcome {
  const crashes: string[] = [];
  const stalls: string[] = [];
  let slowestMs = 0;
  for (const [name, target] of Object.entries(targets)) {
    const { seeds, dictionary } = seedsOf(name);
    const next = createMutator(seeds, dictionary, random);
    for (let i = 0; i < inputsEach; i++) {
      const input = next();
      const describe = (): string => `${name}: ${Buffer.from(input).toString('base64')}`;
      const crash = attempt(target, input);
      if (crash.error !== undefined && crashes.length < 10) crashes.push(`${crash.error} for ${describe()}`);
      if (crash.ms > stallMs) {
        // Another process may have had the processor: what is slow by itself is slow again.
        const again = attempt(target, input).ms;
        slowestMs = Math.max(slowestMs, Math.min(again, crash.ms));
        if (again > stallMs) stalls.push(describe());
      } else slowestMs = Math.max(slowestMs, crash.ms);
    }
  }
  return { inputs: inputsEach * Object.keys(targets).length, crashes, stalls, slowestMs };
}

function attempt(
  target: Target,
  input: Uint8Array,
): { readonly ms: number; readonly error: string | undefined } {
  const started = performance.now();
  let error: string | undefined;
  try {
    target(input);
  } catch (thrown) {
    if (!isAnswer(thrown))
      error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  }
  return { ms: performance.now() - started, error };
}

// RangeError with one of our own messages is how the binary readers refuse; a stack overflow is one too, and no answer.
function isAnswer(thrown: unknown): boolean {
  if (thrown instanceof RangeError) return !thrown.message.includes('call stack');
  return (
    thrown instanceof ServiceError ||
    thrown instanceof PromqlError ||
    thrown instanceof LineError ||
    thrown instanceof SyntaxError ||
    (thrown instanceof TypeError && thrown.message.includes('encoded data was not valid'))
  );
}
