import { pino } from 'pino';
import { loadConfig } from '../config/load-config.ts';
import { messageOf } from '../errors.ts';
import { startService } from '../start-service.ts';

const stopWithinMs = 4_500;

/** Runs the service until SIGINT or SIGTERM; SIGHUP reads the configuration again. Resolves with the exit code. */
export async function serve(configPath: string): Promise<number> {
  const config = loadConfig(configPath, process.env);
  const logger = pino({ level: process.env.LOG_LEVEL || 'info' }, pino.destination({ dest: 2, sync: true }));
  // Before the start, which a signal may interrupt: a service that is just opening its store ends cleanly too.
  const stopped = stopSignal();
  const service = await startService({ config, logger });
  process.stdout.write(`Weir is ready on ${service.url}\n`);
  process.on('SIGHUP', () => {
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
  });
  const end = await Promise.race([stopped, service.engineExited.then(() => 'engine exited' as const)]);
  if (end === 'engine exited') throw new Error("The store's thread ended. Restart the service.");
  await service.close();
  return 0;
}

/** Resolves at the first SIGINT or SIGTERM, and sees to it that the process has ended 4.5 s later. */
function stopSignal(): Promise<'signal'> {
  return new Promise((resolve) => {
    const stop = (): void => {
      // What is not over by then is not worth waiting for: the store is durable at every moment.
      setTimeout(() => process.exit(1), stopWithinMs).unref();
      resolve('signal');
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
