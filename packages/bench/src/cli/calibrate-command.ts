import { parseArgs } from 'node:util';
import { calibrate } from '../compare/calibrate.ts';
import { type Command, type CommandContext, exitCode, numberOption, UsageError } from './command.ts';

const usage = `weir-bench calibrate [--pairs <n>] [--json]

Compares a small server with itself and prints what slowdown a comparison on this machine can detect, and its duration.`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { pairs: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
  });
  if (positionals.length > 0) throw new UsageError(`expected no argument, got \`${positionals[0]}\``);
  const pairs = numberOption('--pairs', values.pairs, { min: 5, whole: true });
  const result = await calibrate({
    pairs,
    signal: context.signal,
    onPair: (count) => context.stderr.write(`pair ${count}/${pairs}\n`),
  });
  const { comparison } = result;
  if (comparison.partial)
    context.stderr.write(`weir-bench: interrupted after ${comparison.pairs.length} pairs\n`);
  if (values.json) context.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else if (!comparison.partial) {
    const spread = Object.entries(result.spread).map(([name, sd]) => `${name} ${(sd * 100).toFixed(1)} %`);
    context.stdout.write(`two equal builds differ by (standard deviation) ${spread.join(', ')}\n`);
    context.stdout.write(
      result.detectable === null
        ? 'this machine is too noisy: comparisons do not find a slowdown of 30 %\n'
        : `a slowdown of ${(result.detectable * 100).toFixed(0)} % is found in 9 of 10 comparisons, in ${result.seconds} s\n`,
    );
    for (const doubt of comparison.doubts) context.stdout.write(`unreliable: ${doubt.message}\n`);
  }
  if (context.signal.aborted) return exitCode.interrupted;
  return comparison.doubts.length > 0 ? exitCode.invalid : exitCode.pass;
}

/** `weir-bench calibrate`. */
export const calibrateCommand: Command = { usage, run };
