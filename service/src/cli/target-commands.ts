import { ServiceError } from '../errors.ts';
import { askService, type ServiceAddress, sendToService } from './ask-service.ts';

interface ShownTarget {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly health: string;
  readonly lastError: string;
}

/** The lines of `weir targets`. */
export async function targets(address: ServiceAddress): Promise<string> {
  const { activeTargets } = (await askService(address, '/api/v1/targets')) as {
    activeTargets: ShownTarget[];
  };
  const width = Math.max(...activeTargets.map(({ scrapePool }) => scrapePool.length), 0);
  return activeTargets
    .map(({ health, scrapePool, scrapeUrl, lastError }) =>
      `${health.padEnd(7)} ${scrapePool.padEnd(width)} ${scrapeUrl} ${lastError}`.trimEnd(),
    )
    .join('\n');
}

export interface NewTarget {
  readonly url: string;
  readonly job: string;
  readonly ttl: string | undefined;
  /** `name=value` each. */
  readonly labels: readonly string[];
}

/** The line of `weir targets add`. @throws ServiceError with the service's own words when it refuses. */
export async function addTarget(address: ServiceAddress, target: NewTarget): Promise<string> {
  const labels = Object.fromEntries(
    target.labels.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new ServiceError('ERR_WEIR_SERVICE_ARGUMENTS', `Expected --label name=value, got ${text}.`);
    }),
  );
  const { url, job, ttl } = target;
  const answer = await sendToService(address, 'POST', '/targets', {
    url,
    job,
    labels,
    ...(ttl === undefined ? {} : { ttl }),
  });
  const { id, expiresAt } = answer as { id: string; expiresAt: string };
  return `${id} until ${expiresAt}`;
}

/** The line of `weir targets remove`. */
export async function removeTarget(address: ServiceAddress, id: string): Promise<string> {
  await sendToService(address, 'DELETE', `/targets/${encodeURIComponent(id)}`);
  return `${id} removed`;
}
