#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { loadConfig } from './config/load-config.ts';
import { messageOf, ServiceError } from './errors.ts';
import { startService } from './start-service.ts';

// `node main.js --config weir.config.json`. Exit codes: 0 stopped on request, 1 failed, 2 wrong use or configuration.

const usage = 'Usage: weir-service [--config weir.config.json]';
const stopWithinMs = 5_000;

async function main(): Promise<void> {
  const config = loadConfig(readArguments(), process.env);
  const logger = pino({ level: process.env.LOG_LEVEL ?? 'info' }, pino.destination({ dest: 2, sync: true }));
  const service = await startService({ config, logger });
  process.stdout.write(`Weir is ready on ${service.url}\n`);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    // What is not over by then is not worth waiting for: the store is durable at every moment.
    setTimeout(() => process.exit(1), stopWithinMs - 500).unref();
    service.close().then(
      () => process.exit(0),
      (thrown: unknown) => fail(thrown),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  await service.engineExited;
  if (!isStopping) fail(new Error("The store's thread ended. Restart the service."));
}

function readArguments(): string {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    return values.config ?? 'weir.config.json';
  } catch (thrown) {
    throw new ServiceError('ERR_WEIR_SERVICE_ARGUMENTS', `${messageOf(thrown)} ${usage}`, thrown);
  }
}

function fail(thrown: unknown): never {
  const isMisuse = thrown instanceof ServiceError && /CONFIG|ARGUMENTS/.test(thrown.code);
  const text = isMisuse ? thrown.message : messageOf(thrown);
  process.stderr.write(`weir: ${text.replaceAll('\n', '\nweir: ')}\n`);
  process.exit(isMisuse ? 2 : 1);
}

main().catch(fail);
