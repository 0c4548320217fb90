#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import {
  addTarget,
  checkConfig,
  newToken,
  query,
  removeTarget,
  type ServiceAddress,
  targets,
} from './commands.ts';
import { loadConfig } from './config/load-config.ts';
import { messageOf, ServiceError } from './errors.ts';
import { type Service, startService } from './start-service.ts';

// The command `weir`. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.

const usage = `Usage: weir [serve] [--config weir.config.json]
       weir check-config [--config weir.config.json]
       weir query <expression> [--time <seconds>] [--url http://127.0.0.1:4040] [--token <token>]
       weir targets [list] [--url http://127.0.0.1:4040] [--token <token>]
       weir targets add <url> --job <job> [--label name=value …] [--ttl 2m]
       weir targets remove <id>
       weir token --name <name> --role push|read|bench|admin
Environment: WEIR_URL and WEIR_TOKEN replace --url and --token, PORT replaces listen.port, LOG_LEVEL sets the log level.`;

/** The process exits this long after a signal even if work is left. Nothing is lost: the store is durable at every moment. */
const stopWithinMs = 4_500;

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

/** Runs the service until SIGINT or SIGTERM; SIGHUP reloads the configuration. Resolves with the exit code. */
async function serve(configPath: string): Promise<number> {
  const config = loadConfig(configPath, process.env);
  const logger = pino({ level: process.env.LOG_LEVEL || 'info' }, pino.destination({ dest: 2, sync: true }));
  // Registered first, so that a signal during the start stops what has been started.
  const stopped = stopSignal();
  const service = await startService({ config, logger });
  process.on('SIGHUP', () => reload(service, configPath, logger));
  process.stdout.write(`Weir is ready on ${service.url}\n`);
  const isSignalled = await Promise.race([stopped.then(() => true), service.engineExited.then(() => false)]);
  if (!isSignalled) throw new Error("The store's thread ended. Restart the service.");
  await service.close();
  return 0;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      setTimeout(() => process.exit(1), stopWithinMs).unref();
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

function reload(service: Service, configPath: string, logger: Logger): void {
  try {
    const next = loadConfig(configPath, process.env);
    service.reload(next).then(
      () => logger.info('configuration reloaded'),
      (thrown: unknown) => logger.error({ reason: messageOf(thrown) }, 'reload failed'),
    );
  } catch (thrown) {
    logger.error(
      { reason: messageOf(thrown) },
      'configuration not reloaded; the previous one stays in force',
    );
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
