import { isIP } from 'node:net';
import type { HttpDiscoveryConfig, TargetConfig } from '../config/config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { isForbidden } from '../network/address-policy.ts';
import { type GuardedClient, hostOf } from '../network/guarded-client.ts';
import { readTargetGroups } from './target-groups.ts';

export interface HttpDiscoveryOptions {
  readonly lists: readonly HttpDiscoveryConfig[];
  readonly client: GuardedClient;
  /** Called with all targets after every change of them. */
  readonly onTargets: (targets: readonly TargetConfig[]) => void;
  readonly onError: (message: string) => void;
}

const timeoutMs = 10_000;
const maxBodyBytes = 4_194_304;

/**
 * Asks URLs for target lists in the format of Prometheus' `http_sd`. A list that cannot be read keeps the targets it named
 * before. What it names is scraped only where its `allow` permits; that is checked again at every connection.
 */
export class HttpDiscovery {
  readonly #options: HttpDiscoveryOptions;
  readonly #abort = new AbortController();
  readonly #known: (readonly TargetConfig[])[];
  readonly #timers: NodeJS.Timeout[];
  readonly #reported = new Map<number, string>();
  #last = '[]';

  constructor(options: HttpDiscoveryOptions) {
    this.#options = Object.freeze({ ...options });
    this.#known = options.lists.map(() => []);
    this.#timers = options.lists.map(({ intervalMs }, at) =>
      setInterval(() => void this.#refresh(at), intervalMs).unref(),
    );
    options.lists.forEach((_list, at) => void this.#refresh(at));
  }

  close(): void {
    this.#abort.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #refresh(at: number): Promise<void> {
    const list = this.#options.lists[at] as HttpDiscoveryConfig;
    const mistakes: string[] = [];
    try {
      this.#known[at] = bounded(await this.#fetch(list, mistakes), list, mistakes);
    } catch (thrown) {
      mistakes.push(messageOf(thrown));
    }
    if (this.#abort.signal.aborted) return;
    this.#report(at, list, mistakes);
    const targets = this.#known.flat();
    const text = JSON.stringify(targets);
    if (text === this.#last) return;
    this.#last = text;
    this.#options.onTargets(targets);
  }

  async #fetch(list: HttpDiscoveryConfig, mistakes: string[]): Promise<TargetConfig[]> {
    const response = await this.#options.client.request(list.url, {
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        ...list.headers,
        accept: 'application/json',
        'x-prometheus-refresh-interval-seconds': String(list.intervalMs / 1000),
      },
    });
    if (response.statusCode !== 200) {
      response.resume();
      throw failure(`answered ${response.statusCode}`);
    }
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > maxBodyBytes) throw failure(`answered more than ${maxBodyBytes} bytes`);
      parts.push(part);
    }
    const content: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    const found = readTargetGroups(content, { job: list.job, scheme: 'http', path: '/metrics' }, mistakes);
    if (!Array.isArray(content)) throw failure('answered no list');
    return found;
  }

  // An outage of hours is one line.
  #report(at: number, list: HttpDiscoveryConfig, mistakes: readonly string[]): void {
    const text = mistakes.join('; ');
    if (text !== '' && text !== this.#reported.get(at))
      this.#options.onError(`${list.url.origin}${list.url.pathname}: ${text}`);
    this.#reported.set(at, text);
  }
}

function bounded(
  found: readonly TargetConfig[],
  { allow, maxTargets }: HttpDiscoveryConfig,
  mistakes: string[],
): TargetConfig[] {
  if (found.length > maxTargets)
    mistakes.push(`${found.length} targets, of which the first ${maxTargets} are taken (\`maxTargets\`)`);
  return found.slice(0, maxTargets).flatMap((target) => {
    const { host, port } = hostOf(target.url);
    // A name's addresses are judged when it is connected to.
    if (isIP(host) !== 0 && (isForbidden(host) || !allow.allows(host, port, host))) {
      mistakes.push(`${target.url.host} is not in \`allow\``);
      return [];
    }
    return { ...target, allow };
  });
}

function failure(reason: string): ServiceError {
  return new ServiceError('ERR_WEIR_SERVICE_DISCOVERY', reason);
}
