#!/usr/bin/env node
import { createRequire } from 'node:module';
import { dashboards } from '../dashboards.ts';
import { DashboardsError, UsageError } from '../errors.ts';
import { usage } from './usage.ts';

const exitCode = { done: 0, refused: 1, usage: 64 } as const;

async function main([command, ...args]: readonly string[]): Promise<number> {
  if (command === '--version') {
    const manifest = createRequire(import.meta.url)('../../package.json') as { version: string };
    console.log(manifest.version);
    return exitCode.done;
  }
  if (command === '--help' || command === '-h' || args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return exitCode.done;
  }
  if (command === 'list') {
    for (const { uid, title, description } of dashboards) console.log(`${uid}\t${title}\t${description}`);
    return exitCode.done;
  }
  if (command !== 'write') {
    throw new UsageError(
      command === undefined
        ? 'expected a command: weir-dashboards write <directory>'
        : `unknown command \`${command}\`; there is write, list`,
    );
  }
  // Loaded when called: a wrong argument should not wait for Grafana's builders.
  const { writeCommand } = await import('./write-command.ts');
  for (const path of await writeCommand(args)) console.log(path);
  return exitCode.done;
}

/** One clear line for every expected failure; only a bug shows its stack. */
function report(error: unknown): number {
  const { message, code } = error as NodeJS.ErrnoException;
  const isUsage =
    error instanceof UsageError || error instanceof DashboardsError || code?.startsWith('ERR_PARSE_ARGS_');
  if (!isUsage && !(error instanceof Error && 'syscall' in error)) {
    console.error(`weir-dashboards: this is a bug: ${(error as Error).stack}`);
    return exitCode.refused;
  }
  console.error(`weir-dashboards: ${message.split('\n', 1)[0]}`);
  return isUsage ? exitCode.usage : exitCode.refused;
}

process.exitCode = await main(process.argv.slice(2)).catch(report);
