import type { Clock } from '../process/cpu.ts';
import type { FailureKind } from '../result/result.ts';
import type { TlsTrust } from '../scenario/target.ts';
import { HttpConnection, type ReceivedAnswer, type WireRequest } from './connection.ts';
import type { Outcomes } from './measurement.ts';
import { locationOf, type ResponseHead } from './response-parser.ts';

/** A request with the time at which it should begin. */
export interface Exchange {
  readonly dueMs: number;
  readonly request: WireRequest;
  /** Whether the answer's body is kept. @defaultValue false */
  readonly keepBody?: boolean;
  /** Called once, after the outcome is recorded, with the answer or the reason of its absence. */
  readonly onEnd?: (answer: Answer | FailureKind, endMs: number) => void;
}

/** An answer as a scenario's checks see it. */
export interface Answer {
  readonly head: ResponseHead;
  /** Empty unless the exchange keeps it. */
  readonly body: Buffer;
  readonly latencyMs: number;
}

/** Options of {@link Dispatcher}. */
interface DispatcherOptions {
  readonly target: URL;
  readonly trust: TlsTrust | undefined;
  readonly maxConnections: number;
  /** From the moment a request is due to the end of its answer. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly outcomes: Outcomes;
  /** Called whenever no exchange is pending any more. */
  readonly onIdle: () => void;
}

const reconnectDelayMs = 20;

/**
 * Sends each exchange at once, on a connection that no other exchange uses meanwhile. Without a free connection it opens one, up to the
 * bound. Above the bound exchanges wait; an exchange that is not sent by its timeout is dropped. Whatever happens to a connection or to the
 * server, each exchange has exactly one outcome.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #idle: HttpConnection[] = [];
  readonly #flights = new Map<HttpConnection, Exchange>();
  readonly #opening = new Set<HttpConnection>();
  #waiting: Exchange[] = [];
  #waitingFrom = 0;
  #openNotBeforeMs = Number.NEGATIVE_INFINITY;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(Math.max(options.timeoutMs / 50, 1), 20));
  }

  /** Exchanges without an outcome yet. */
  get pending(): number {
    return this.#flights.size + this.#waiting.length - this.#waitingFrom;
  }

  begin(exchange: Exchange): void {
    const connection = this.#idle.pop();
    if (connection === undefined) {
      this.#waiting.push(exchange);
      this.#openIfShort();
    } else this.#send(connection, exchange);
  }

  /** Closes every connection at once. Pending exchanges get no outcome. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const connection of [...this.#idle, ...this.#flights.keys(), ...this.#opening]) connection.destroy();
    this.#idle.length = 0;
    this.#flights.clear();
    this.#opening.clear();
    this.#waiting = [];
    this.#waitingFrom = 0;
  }

  #send(connection: HttpConnection, exchange: Exchange): void {
    this.#flights.set(connection, exchange);
    connection.send(exchange.request, exchange.keepBody);
  }

  #openIfShort(): void {
    const { target, trust, maxConnections, clock } = this.#options;
    const open = this.#idle.length + this.#flights.size + this.#opening.size;
    if (this.#waiting.length - this.#waitingFrom <= this.#opening.size || open >= maxConnections) return;
    if (clock.now() < this.#openNotBeforeMs) return;
    const connection = new HttpConnection(target, trust, {
      onReady: (ready) => {
        this.#opening.delete(ready);
        this.#free(ready);
      },
      onAnswer: (from, received) => this.#answered(from, received),
      onLost: (lost, kind) => this.#lost(lost, kind),
    });
    this.#opening.add(connection);
  }

  #free(connection: HttpConnection): void {
    const next = this.#nextWaiting();
    if (next === undefined) this.#idle.push(connection);
    else this.#send(connection, next);
  }

  #nextWaiting(): Exchange | undefined {
    const next = this.#waiting[this.#waitingFrom];
    if (next === undefined) return undefined;
    this.#waitingFrom += 1;
    if (this.#waitingFrom > 1_024 && this.#waitingFrom * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    return next;
  }

  #answered(connection: HttpConnection, { head, body, bytes, reusable }: ReceivedAnswer): void {
    const exchange = this.#flights.get(connection);
    if (exchange === undefined) return;
    this.#flights.delete(connection);
    const endMs = this.#options.clock.now();
    const { dueMs, onEnd } = exchange;
    this.#options.outcomes.answered(dueMs, endMs, head.status, bytes);
    const location = locationOf(head);
    if (location !== undefined) this.#options.outcomes.redirected(location);
    if (reusable) this.#free(connection);
    else this.#openIfShort();
    onEnd?.({ head, body, latencyMs: endMs - dueMs }, endMs);
    this.#reportIdle();
  }

  #lost(connection: HttpConnection, kind: FailureKind): void {
    const exchange = this.#flights.get(connection);
    const opening = this.#opening.delete(connection);
    if (exchange === undefined) {
      const index = this.#idle.indexOf(connection);
      if (index >= 0) this.#idle.splice(index, 1);
      if (opening) this.#refused();
      return;
    }
    this.#flights.delete(connection);
    this.#fail(exchange, kind);
    this.#openIfShort();
  }

  /**
   * A refused connection fails one waiting exchange, or all of them when there is no other connection. The next attempt is
   * delayed.
   */
  #refused(): void {
    this.#openNotBeforeMs = this.#options.clock.now() + reconnectDelayMs;
    // Counted before the loop, since each failure may begin another exchange.
    let left = this.#flights.size + this.#opening.size === 0 ? this.#waiting.length - this.#waitingFrom : 1;
    for (; left > 0; left -= 1) {
      const exchange = this.#nextWaiting();
      if (exchange === undefined) return;
      this.#fail(exchange, 'refused');
    }
  }

  #fail(exchange: Exchange, kind: FailureKind): void {
    const endMs = this.#options.clock.now();
    this.#options.outcomes.failed(exchange.dueMs, endMs, kind);
    exchange.onEnd?.(kind, endMs);
    this.#reportIdle();
  }

  #sweep(): void {
    const oldestMs = this.#options.clock.now() - this.#options.timeoutMs;
    for (const [connection, exchange] of this.#flights) {
      if (exchange.dueMs > oldestMs) continue;
      this.#flights.delete(connection);
      connection.destroy();
      this.#fail(exchange, 'timeout');
    }
    while ((this.#waiting[this.#waitingFrom]?.dueMs ?? Number.POSITIVE_INFINITY) <= oldestMs) {
      const dropped = this.#nextWaiting();
      if (dropped !== undefined) this.#fail(dropped, 'dropped');
    }
    this.#openIfShort();
  }

  #reportIdle(): void {
    if (this.pending === 0) this.#options.onIdle();
  }
}
