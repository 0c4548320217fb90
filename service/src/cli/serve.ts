import { type Logger, pino } from 'pino';
import { loadConfig } from '../config/load-config.ts';
import { messageOf } from '../errors.ts';
import { type Service, startService } from '../start-service.ts';

const stopWithinMs = 4_500;

/** Runs the service until SIGINT or SIGTERM; SIGHUP reads the configuration again. Resolves with the exit code. */
export async function serve(configPath: string): Promise<number> {
  const config = loadConfig(configPath, process.env);
  const logger = pino({ level: process.env.LOG_LEVEL || 'info' }, pino.destination({ dest: 2, sync: true }));
  // Before anything starts, so that a signal during the start ends what has been started.
  const stopped = stopSignal();
  const service = await startService({ config, logger });
  process.on('SIGHUP', () => reload(service, configPath, logger));
  process.stdout.write(`Weir is ready on ${service.url}\n`);
  const isAsked = await Promise.race([stopped.then(() => true), service.engineExited.then(() => false)]);
  if (!isAsked) throw new Error("The store's thread ended. Restart the service.");
  await service.close();
  return 0;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      // What is not over by then is not worth waiting for: the store is durable at every moment.
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
      'configuration not taken over; the one before stays in force',
    );
  }
}
