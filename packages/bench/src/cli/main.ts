#!/usr/bin/env node
import { createRequire } from 'node:module';
import { type Command, type CommandContext, exitCode, exitCodeOf, UsageError } from './command.ts';

/** Each command is imported when it is called, so that a wrong argument does not load the generator. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run-command.ts')).runCommand,
  profile: async () => (await import('./profile-command.ts')).profileCommand,
  micro: async () => (await import('./micro-command.ts')).microCommand,
  calibrate: async () => (await import('./calibrate-command.ts')).calibrateCommand,
  history: async () => (await import('./history-command.ts')).historyCommand,
  compare: async () => (await import('./compare-command.ts')).compareCommand,
};

const overview = `weir-bench <command>

  run <file>                     run a benchmark and report it
  profile <file> --base <build>  name what makes a build slower
  micro <file>                   compare two functions
  calibrate                      measure what slowdown this machine can detect
  history <place> <name>         find changes in a history of runs
  compare <file> --base <build>  judge a build against another

weir-bench <command> --help prints a command's options.
Exit codes: 0 pass, 1 regression or missed objective, 2 inconclusive, 3 invalid run, 4 refused target, 64 usage, 130 interrupted.`;

async function main(argv: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...args] = argv;
  if (name === '--version') {
    const manifest = createRequire(import.meta.url)('../../package.json') as { version: string };
    context.stdout.write(`${manifest.version}\n`);
    return exitCode.pass;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    context.stdout.write(`${overview}\n`);
    return exitCode.pass;
  }
  const command = name === undefined || !Object.hasOwn(commands, name) ? undefined : commands[name];
  if (name === undefined) throw new UsageError('expected a command: weir-bench run <file>');
  if (command === undefined) {
    throw new UsageError(`unknown command \`${name}\`; use one of ${Object.keys(commands).join(', ')}`);
  }
  const { usage, run } = await command();
  if (args.includes('--help') || args.includes('-h')) {
    context.stdout.write(`${usage}\n`);
    return exitCode.pass;
  }
  return run(args, context);
}

/** Prints one line for an expected failure, and the stack of a bug. @returns the exit code */
function report(error: unknown): number {
  if (interrupt.signal.aborted && error === interrupt.signal.reason) {
    process.stderr.write('weir-bench: interrupted before there was anything to report\n');
    return exitCode.interrupted;
  }
  const wrongArguments =
    (error as { code?: unknown }).code?.toString().startsWith('ERR_PARSE_ARGS_') === true;
  const code = error instanceof UsageError || wrongArguments ? exitCode.usage : exitCodeOf(error);
  if (code === undefined && !isSystemError(error)) {
    process.stderr.write(`weir-bench: this is a bug: ${(error as Error).stack}\n`);
    return exitCode.invalid;
  }
  process.stderr.write(`weir-bench: ${(error as Error).message.split('\n', 1)[0]}\n`);
  return code ?? exitCode.invalid;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // A second signal exits without a report. A second SIGHUP does not, since a closing terminal may send several.
    if (interrupt.signal.aborted && signal !== 'SIGHUP') process.exit(exitCode.interrupted);
    interrupt.abort();
  });
}
// The reader may be gone (a closed terminal, `| head`). A failed write must not prevent the clean-up.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
}).catch(report);
