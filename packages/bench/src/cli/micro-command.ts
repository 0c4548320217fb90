import { parseArgs } from 'node:util';
import { compareMicro } from '../compare/compare-micro.ts';
import { signed } from '../report/table.ts';
import { formatLatency } from '../result/format.ts';
import { type Command, type CommandContext, exitCode, exitCodeOfVerdict, UsageError } from './command.ts';

const usage = `weir-bench micro <file> [--json]

Compares the base and head functions of a file that exports defineMicro({ name, base, head }).`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0)
    throw new UsageError('expected one file: weir-bench micro <file>');
  const result = await compareMicro({
    file,
    signal: context.signal,
    onPair: (pairs) => context.stderr.write(`pair ${pairs}\n`),
  });
  if (values.json) context.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else {
    const middle = (arm: 'base' | 'head'): string => {
      const sorted = result.pairs.map((pair) => pair[arm]).sort((a, b) => a - b);
      return formatLatency((sorted[sorted.length >> 1] ?? 0) / 1e6);
    };
    const { metric } = result;
    const interval =
      metric === undefined ? '' : ` (${signed(metric.interval[0])} … ${signed(metric.interval[1])})`;
    const effect = metric === undefined ? '' : `, worse by ${signed(metric.effect)}${interval}`;
    context.stdout.write(
      `${result.name}: ${result.verdict}, base ${middle('base')}, head ${middle('head')}${effect}\n`,
    );
  }
  return context.signal.aborted ? exitCode.interrupted : exitCodeOfVerdict(result.verdict);
}

/** `weir-bench micro`. */
export const microCommand: Command = { usage, run };
