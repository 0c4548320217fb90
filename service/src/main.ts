#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { checkConfig, newToken, query, targets } from './cli/commands.ts';
import { serve } from './cli/serve.ts';
import { messageOf, ServiceError } from './errors.ts';

// The command `weir`. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.

const usage = `Usage: weir [serve] [--config weir.config.json]
       weir check-config [--config weir.config.json]
       weir query <expression> [--time <seconds>] [--url http://127.0.0.1:4040] [--token <token>]
       weir targets [--url http://127.0.0.1:4040] [--token <token>]
       weir token --name <name> --role push|read|bench|admin
WEIR_URL and WEIR_TOKEN stand for --url and --token, PORT for listen.port, LOG_LEVEL for the log's level.`;

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  const config = values.config ?? 'weir.config.json';
  const address = {
    url: values.url ?? process.env.WEIR_URL ?? 'http://127.0.0.1:4040',
    token: values.token ?? process.env.WEIR_TOKEN,
  };
  const [command = 'serve', expression] = positionals;
  if (values.help === true) return print(usage);
  switch (command) {
    case 'serve':
      return await serve(config);
    case 'check-config':
      return print(checkConfig(config));
    case 'targets':
      return print(await targets(address));
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
        help: { type: 'boolean' },
      },
    });
  } catch (thrown) {
    throw misuse(messageOf(thrown));
  }
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
