import { seededRandom } from '@weir/test-kit';
import { PromqlError } from '../../src/errors.ts';
import { evaluateInstant } from '../../src/query.ts';
import { randomData } from '../agreement/random-data.ts';
import { QueryGenerator } from '../agreement/random-query.ts';

/** Of this thread where Node tells it (from 23.9), otherwise of the whole process. */
const cpuUsage: typeof process.cpuUsage =
  typeof process.threadCpuUsage === 'function' ? process.threadCpuUsage : process.cpuUsage;

export interface FuzzReport {
  readonly inputs: number;
  /** Inputs that were valid and evaluated, with a result or a `PromqlError`. */
  readonly evaluated: number;
  /** Of this thread's processor time, which other work on the machine does not lengthen. */
  readonly slowestMs: number;
  readonly slowest: string;
  /** Inputs that ended in anything but a result or a `PromqlError`. */
  readonly crashes: readonly { readonly query: string; readonly error: unknown }[];
}

const alphabet = 'abc_:019.+-*/%^=!~<>@()[]{},"\'`\\#\n\t smhdwyxeINF\u00e9\ud83d\ude00\u0000';
const words =
  'sum rate by without on ignoring group_left offset bool start() end() [5m] [1y:1ms] {} "" == =~ 1e999 0x or'.split(
    ' ',
  );

/** Parses and evaluates random text and mutated valid queries under small limits. */
export function fuzzQueries(seed: number, inputs: number): FuzzReport {
  const random = seededRandom(seed);
  const { queryable, firstMs, stepMs, moments, words } = randomData(random);
  const endMs = firstMs + moments * stepMs;
  const generator = new QueryGenerator(words, random, () => endMs / 1000);
  const options = { maxSamples: 20_000, maxSeries: 200, timeoutMs: 1_000 };
  const crashes: { query: string; error: unknown }[] = [];
  let evaluated = 0;
  let slowestMs = 0;
  let slowest = '';
  for (let i = 0; i < inputs; i++) {
    const query = random() < 0.3 ? noise(random) : mutated(random, generator.query());
    const before = cpuUsage();
    try {
      evaluateInstant(queryable, query, endMs, options);
      evaluated++;
    } catch (error) {
      if (!(error instanceof PromqlError) || error.errorType === 'internal') crashes.push({ query, error });
      else if (error.errorType !== 'bad_data') evaluated++;
    }
    const { user, system } = cpuUsage(before);
    const took = (user + system) / 1_000;
    if (took > slowestMs) [slowestMs, slowest] = [took, query];
  }
  return { inputs, evaluated, slowestMs, slowest, crashes };
}

function noise(random: () => number): string {
  const length = Math.floor(random() * (random() < 0.01 ? 5_000 : 60));
  let text = '';
  for (let i = 0; i < length; i++)
    text += random() < 0.8 ? pick(random, alphabet) : String.fromCharCode(Math.floor(random() * 65_536));
  return text;
}

function mutated(random: () => number, query: string): string {
  let text = query;
  for (let changes = Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * (text.length + 1));
    const until = at + Math.floor(random() * 6);
    const choice = random();
    if (choice < 0.3) text = text.slice(0, at) + text.slice(until);
    else if (choice < 0.6) text = text.slice(0, at) + pick(random, alphabet) + text.slice(at);
    else if (choice < 0.8) text = text.slice(0, at) + pick(random, words) + text.slice(at);
    else if (choice < 0.95) text = text.slice(0, at) + text.slice(at, until) + text.slice(at);
    else text = text.slice(0, at) + text.slice(at, until).repeat(1_000) + text.slice(until);
  }
  return text;
}

function pick<T>(random: () => number, choices: ArrayLike<T>): T {
  return choices[Math.floor(random() * choices.length)] as T;
}
