import type { Clock } from '../clock.ts';
import type { ConcurrencyLimiter } from '../overload/concurrency-limiter.ts';
import { createManualClock } from './manual-clock.ts';

/** A service of known capacity under open-loop load, in virtual time: an hour takes seconds. */
export interface SimulationOptions {
  /** Makes the limiter under test on the simulation's clock; undefined = none. */
  readonly limiter?: (clock: Clock) => ConcurrencyLimiter;
  /** Requests that the service works on at once; the rest waits inside it, in order. */
  readonly workers: number;
  /** Mean service time at a time, in ms; exponentially distributed. Capacity = workers / serviceMs. */
  readonly serviceMs: (atMs: number) => number;
  /** Arrivals per ms at a time, Poisson. */
  readonly arrivalsPerMs: (atMs: number) => number;
  /** Callers give up after this; an answer later than that is worthless. */
  readonly timeoutMs: number;
  readonly durationMs: number;
  readonly random: () => number;
  /** Share of arrivals in tier `critical`; the others are `normal`. @defaultValue 0 */
  readonly critical?: number;
  /** Hears every answer and every refusal. */
  readonly onOutcome: (outcome: SimulatedOutcome) => void;
}

/** One request's end. */
export interface SimulatedOutcome {
  readonly atMs: number;
  readonly arrivedMs: number;
  readonly tier: 'critical' | 'normal';
  readonly result: 'good' | 'late' | 'refused';
}

interface Job {
  readonly run: () => void;
  readonly atMs: number;
}

/** Runs the simulation to its end. */
export async function simulateOverload(options: SimulationOptions): Promise<void> {
  const {
    workers,
    serviceMs,
    arrivalsPerMs,
    timeoutMs,
    durationMs,
    random,
    critical = 0,
    onOutcome,
  } = options;
  const clock = createManualClock();
  const limiter = options.limiter?.(clock);
  const events = new EventHeap();
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const backlog: (() => void)[] = [];
  let busy = 0;

  const finish = (then: () => void): void => {
    then();
    const next = backlog.shift();
    if (next === undefined) busy--;
    else next();
  };
  const serve = (then: () => void): void => {
    const start = (): void => {
      events.push({ atMs: clock.now() + exponential(serviceMs(clock.now())), run: () => finish(then) });
    };
    if (busy >= workers) backlog.push(start);
    else {
      busy++;
      start();
    }
  };
  const arrive = (): void => {
    const arrivedMs = clock.now();
    const tier = random() < critical ? 'critical' : 'normal';
    const end = (result: 'good' | 'late' | 'refused'): void =>
      onOutcome({ atMs: clock.now(), arrivedMs, tier, result });
    const answer = (): void => end(clock.now() - arrivedMs <= timeoutMs ? 'good' : 'late');
    if (limiter === undefined) serve(answer);
    else {
      void limiter.acquire({ tier }).then((permit) => {
        if (permit === undefined) return end('refused');
        return serve(() => {
          permit.release('ok');
          answer();
        });
      });
    }
    const nextMs = clock.now() + exponential(1 / arrivalsPerMs(clock.now()));
    if (nextMs < durationMs) events.push({ atMs: nextMs, run: arrive });
  };

  events.push({ atMs: 0, run: arrive });
  for (let event = events.pop(); event !== undefined; event = events.pop()) {
    clock.advance(event.atMs - clock.now());
    event.run();
    // Permits arrive by promise.
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  }
}

/** A binary heap by time. */
class EventHeap {
  readonly #jobs: Job[] = [];

  push(job: Job): void {
    const jobs = this.#jobs;
    let index = jobs.push(job) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((jobs[parent] as Job).atMs <= job.atMs) break;
      jobs[index] = jobs[parent] as Job;
      index = parent;
    }
    jobs[index] = job;
  }

  pop(): Job | undefined {
    const jobs = this.#jobs;
    const top = jobs[0];
    const last = jobs.pop();
    if (top === undefined || last === undefined || jobs.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= jobs.length) break;
      if (child + 1 < jobs.length && (jobs[child + 1] as Job).atMs < (jobs[child] as Job).atMs) child++;
      if ((jobs[child] as Job).atMs >= last.atMs) break;
      jobs[index] = jobs[child] as Job;
      index = child;
    }
    jobs[index] = last;
    return top;
  }
}
