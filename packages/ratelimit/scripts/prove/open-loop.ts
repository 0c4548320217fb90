import { Agent, request } from 'node:http';

/** Callers give up after this; an answer later than that is worthless. */
export const timeoutMs = 500;

/** One request's end, in ms since the load began. */
interface End {
  readonly sentMs: number;
  readonly tookMs: number;
  readonly critical: boolean;
  readonly result: 'good' | 'late' | 'refused' | 'failed';
}

/** What came of a load. */
export class LoadReport {
  readonly #ends: readonly End[];
  readonly #durationMs: number;
  readonly #capacity: number;

  constructor(ends: readonly End[], durationMs: number, capacity: number) {
    this.#ends = ends;
    this.#durationMs = durationMs;
    this.#capacity = capacity;
  }

  /** Figures of what was sent from `fromMs` on, before `toMs`. */
  figures(fromMs = 0, toMs = this.#durationMs): Record<'goodput' | 'critical' | 'refused' | 'p99Ms', number> {
    const ends = this.#ends.filter(({ sentMs }) => sentMs >= fromMs && sentMs < toMs);
    const critical = ends.filter((end) => end.critical);
    const share = (list: readonly End[], result: End['result']): number =>
      list.filter((end) => end.result === result).length / list.length;
    const served = ends.filter(({ result }) => result !== 'refused').map(({ tookMs }) => tookMs);
    served.sort((a, b) => a - b);
    return {
      goodput: (share(ends, 'good') * ends.length * 1000) / (toMs - fromMs) / this.#capacity,
      critical: share(critical, 'good'),
      refused: share(ends, 'refused'),
      p99Ms: served[Math.floor(served.length * 0.99)] ?? Number.NaN,
    };
  }

  /** When goodput first reached nine tenths of capacity and stayed there for half a second; NaN if never. */
  recoveryMs(): number {
    const bins = new Array<number>(Math.floor(this.#durationMs / 250)).fill(0);
    for (const { sentMs, tookMs, result } of this.#ends) {
      const bin = Math.floor((sentMs + tookMs) / 250);
      if (result === 'good' && bin < bins.length) bins[bin] = (bins[bin] as number) + 1;
    }
    const enough = 0.9 * this.#capacity * 0.25;
    const first = bins.findIndex((count, index) => count >= enough && (bins[index + 1] ?? 0) >= enough);
    return first < 0 ? Number.NaN : first * 250;
  }
}

/** Requests per second that `workers` callers who never wait get: the server's capacity, found in a closed loop. */
export async function capacityOf(port: number, workers: number, durationMs: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: workers });
  const started = performance.now();
  let answered = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - started < durationMs) {
      await send(agent, port, false);
      answered++;
    }
  };
  await Promise.all(Array.from({ length: workers }, caller));
  agent.destroy();
  return (answered * 1000) / (performance.now() - started);
}

/** Poisson arrivals, a tenth of them critical; every arrival is a fresh request, whatever came of others. */
export async function openLoop(
  port: number,
  perSecond: number,
  durationMs: number,
  capacity: number,
): Promise<LoadReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2000 });
  const ended: Promise<End>[] = [];
  const started = performance.now();
  let nextMs = 0;
  while (performance.now() - started < durationMs) {
    while (nextMs <= performance.now() - started) {
      nextMs += (-Math.log(1 - Math.random()) * 1000) / perSecond;
      const critical = Math.random() < 0.1;
      const sentMs = performance.now() - started;
      ended.push(
        send(agent, port, critical).then((result) => ({
          sentMs,
          tookMs: performance.now() - started - sentMs,
          critical,
          result,
        })),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const ends = await Promise.all(ended);
  agent.destroy();
  return new LoadReport(ends, durationMs, capacity);
}

function send(agent: Agent, port: number, critical: boolean): Promise<End['result']> {
  const sentMs = performance.now();
  return new Promise((resolve) => {
    const headers = critical ? { 'x-tier': 'critical' } : {};
    const sent = request({ port, host: '127.0.0.1', agent, headers }, (answer) => {
      answer.resume().once('end', () => {
        clearTimeout(patience);
        if (answer.statusCode === 503) resolve('refused');
        else resolve(performance.now() - sentMs <= timeoutMs ? 'good' : 'late');
      });
      answer.once('error', () => resolve('late'));
    });
    // The caller gives up; the server, as servers do, works on.
    const patience = setTimeout(() => sent.destroy(), timeoutMs);
    sent.once('error', () => {
      clearTimeout(patience);
      resolve(performance.now() - sentMs >= timeoutMs ? 'late' : 'failed');
    });
    sent.end();
  });
}
