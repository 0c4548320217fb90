import { parseArgs } from 'node:util';
import { findHistoryChanges } from '../history/history.ts';
import { openHistory } from '../history/open-history.ts';
import { sparkline } from '../report/live.ts';
import { formatCount, formatLatency } from '../result/format.ts';
import { type Command, type CommandContext, exitCode, numberOption, UsageError } from './command.ts';

const usage = `weir-bench history <place> <name> [options]

Finds permanent changes in a benchmark's history, and their commits. weir-bench run <file> --history <place> appends
a run. A place is a directory, git:<branch>, or the URL of a Weir service (token in WEIR_TOKEN).

  --last <n>      use the last n runs only (default 200)
  --json          print the changes as JSON
  --fail          exit with 1 when the latest change is for the worse and at most --recent runs old
  --recent <n>    (default 10)`;

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      last: { type: 'string', default: '200' },
      json: { type: 'boolean', default: false },
      fail: { type: 'boolean', default: false },
      recent: { type: 'string', default: '10' },
    },
  });
  const [place, name, ...rest] = positionals;
  if (place === undefined || name === undefined || rest.length > 0) {
    throw new UsageError('expected a place and a benchmark: weir-bench history <place> <name>');
  }
  const last = numberOption('--last', values.last, { min: 1, whole: true });
  const recent = numberOption('--recent', values.recent, { min: 1, whole: true });
  const history = await openHistory(place, { token: process.env.WEIR_TOKEN }).read(name);
  const results = history.results.slice(-last);
  const changes = findHistoryChanges(results);
  if (values.json) context.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
  else {
    const skipped = history.skippedLines > 0 ? `, ${history.skippedLines} unreadable lines skipped` : '';
    context.stdout.write(`${name}: ${results.length} runs${skipped}\n`);
    context.stdout.write(
      `answers/s ${sparkline(results.slice(-60).map((result) => result.requests.perSecond))}\n`,
    );
    for (const change of changes) {
      const format = change.metric === 'perSecond' ? formatCount : formatLatency;
      const percent = `${change.change > 0 ? '+' : '−'}${Math.abs(change.change * 100).toFixed(1)} %`;
      const commit = change.commit === undefined ? '' : ` at commit ${change.commit.slice(0, 10)}`;
      context.stdout.write(
        `${change.worse ? 'worse ' : 'better'} ${change.metric} ${format(change.before)} → ${format(change.after)} (${percent}) since ${change.startedAt}${commit}\n`,
      );
    }
    if (changes.length === 0) context.stdout.write('no change\n');
  }
  const fresh = changes.some((change) => change.worse && results.length - change.index <= recent);
  return values.fail && fresh ? exitCode.regression : exitCode.pass;
}

/** `weir-bench history`: change points. */
export const historyCommand: Command = { usage, run };
