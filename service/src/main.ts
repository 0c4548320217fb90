#!/usr/bin/env node
import { parseArgs } from 'node:util';
import type { ServiceAddress } from './cli/ask-service.ts';
import { checkConfig, newToken, query } from './cli/commands.ts';
import { serve } from './cli/serve.ts';
import { addTarget, removeTarget, targets } from './cli/target-commands.ts';
import { messageOf, ServiceError } from './errors.ts';

// The command `weir`. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.

const usage = `Usage: weir [serve] [--config weir.config.json]
       weir check-config [--config weir.config.json]
       weir query <expression> [--time <seconds>] [--url http://127.0.0.1:4040] [--token <token>]
       weir targets [list] [--url http://127.0.0.1:4040] [--token <token>]
       weir targets add <url> --job <job> [--label name=value …] [--ttl 2m]
       weir targets remove <id>
       weir token --name <name> --role push|read|bench|admin
WEIR_URL and WEIR_TOKEN stand for --url and --token, PORT for listen.port, LOG_LEVEL for the log's level.`;

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  const config = values.config ?? 'weir.config.json';
  const address = {
    url: values.url ?? process.env.WEIR_URL ?? 'http://127.0.0.1:4040',
    token: values.token ?? process.env.WEIR_TOKEN,
  };
  const [command = 'serve', ...rest] = positionals;
  const [expression] = rest;
  if (values.help === true) return print(usage);
  switch (command) {
    case 'serve':
      return await serve(config);
    case 'check-config':
      return print(checkConfig(config));
    case 'targets':
      return print(await targetsCommand(address, rest, values));
    case 'query':
      if (expression === undefined) throw misuse('Expected an expression after `query`.');
      return print(await query(address, expression, values.time));
    case 'token':
      if (values.name === undefined) throw misuse('Expected --name, which the audit log shows.');
      return print(newToken(values.name, values.role ?? 'read'));
    default:
      throw misuse(`Unknown command \`${command}\`.`);
  }
}

function readArguments() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        config: text,
        url: text,
        token: text,
        time: text,
        name: text,
        role: text,
        job: text,
        ttl: text,
        label: { type: 'string', multiple: true },
        help: { type: 'boolean' },
      },
    });
  } catch (thrown) {
    throw misuse(messageOf(thrown));
  }
}

async function targetsCommand(
  address: ServiceAddress,
  [action = 'list', subject]: readonly string[],
  values: { job?: string | undefined; ttl?: string | undefined; label?: readonly string[] | undefined },
): Promise<string> {
  if (action === 'list') return targets(address);
  if (action === 'add') {
    if (subject === undefined || values.job === undefined)
      throw misuse('Expected a URL and --job after `targets add`.');
    return addTarget(address, { url: subject, job: values.job, ttl: values.ttl, labels: values.label ?? [] });
  }
  if (action !== 'remove' || subject === undefined)
    throw misuse('Expected `list`, `add <url>` or `remove <id>` after `targets`.');
  return removeTarget(address, subject);
}

function misuse(reason: string): ServiceError {
  return new ServiceError('ERR_WEIR_SERVICE_ARGUMENTS', `${reason}\n${usage}`);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

main().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    const isMisuse = thrown instanceof ServiceError && /CONFIG|ARGUMENTS/.test(thrown.code);
    const text = isMisuse ? thrown.message : messageOf(thrown);
    process.stderr.write(`weir: ${text.replaceAll('\n', '\nweir: ')}\n`);
    process.exit(isMisuse ? 2 : 1);
  },
);
