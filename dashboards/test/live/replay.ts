import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Scrapers are told apart by their User-Agent. */
const scrapers = ['Prometheus/', 'weir/'] as const;

/**
 * Stands between a live target and two scrapers, so that both see the same samples although they scrape at different
 * moments: it takes one exposition at a time from the target, writes the moment of taking behind every sample, and
 * hands out that very text until both scrapers have it. Scrapers keep a sample's own timestamp, and the same sample
 * at the same timestamp twice is one sample.
 */
export class Replay {
  readonly #server: Server;
  readonly #seen = new Set<string>();
  #text = '';
  #failing = false;
  #notify: () => void = () => {};

  constructor() {
    this.#server = createServer((request, response) => {
      const scraper = scrapers.find((agent) => request.headers['user-agent']?.startsWith(agent));
      response.on('finish', () => {
        if (scraper !== undefined) this.#seen.add(scraper);
        this.#notify();
      });
      if (this.#failing) response.statusCode = 503;
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(this.#text);
    });
  }

  /** Starts listening; resolves with `host:port`. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Takes the present exposition at the URL `source`. Resolves with its moment in milliseconds once both scrapers
   * have it.
   */
  async advance(source: string): Promise<number> {
    const response = await fetch(source, { headers: { accept: 'text/plain' } });
    const text = await response.text();
    // Never on a tenth of a second, where windows end: an edge would be in it for one engine and out for another, since
    // Prometheus 3 changed it.
    const now = Date.now();
    const moment = now % 100 === 0 ? now + 1 : now;
    this.#text = stamp(text, moment);
    this.#seen.clear();
    await new Promise<void>((resolve) => {
      this.#notify = () => {
        if (this.#seen.size === scrapers.length) resolve();
      };
    });
    return moment;
  }

  /** Answers 503 from now on, or the exposition again. */
  fail(failing: boolean): void {
    this.#failing = failing;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

/** The exposition with `momentMs` behind every sample. */
export function stamp(exposition: string, momentMs: number): string {
  return exposition.replace(/^[^#\s].*$/gm, (line) => `${line} ${momentMs}`);
}
