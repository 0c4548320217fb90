#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { CliError, type CliOptions, exitCodes, runCommand, usage } from './run-command.ts';

async function main(argv: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      url: { type: 'string', default: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
      cache: { type: 'string' },
      version: { type: 'string', default: '1' },
      prefix: { type: 'string', default: 'weir' },
      match: { type: 'string', default: '*' },
      limit: { type: 'string', default: '100' },
      json: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return exitCodes.ok;
  }
  const [command, ...operands] = positionals;
  if (command === undefined || values.cache === undefined) throw new CliError(usage, exitCodes.usage);
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new CliError(
      `Expected \`--limit\` to be a positive integer, got \`${values.limit}\`.`,
      exitCodes.usage,
    );
  }
  const options: CliOptions = { ...values, cache: values.cache, limit };
  return await runCommand(command, operands, options, (line) => console.log(line));
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error;
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode =
    error instanceof CliError ? error.exitCode : isUsage ? exitCodes.usage : exitCodes.failed;
}
