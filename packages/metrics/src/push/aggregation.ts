/**
 * One scrape for many processes or threads. Each worker pushes its state to the aggregator at an interval, so a scrape waits for no worker.
 * The counters of a worker that hangs or dies stay in the totals, at most one interval old.
 */
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import { parentPort, type Worker as Thread } from 'node:worker_threads';
import type { Metrics } from '../create-metrics.ts';
import { checkMilliseconds } from '../errors.ts';
import { negotiate } from '../exposition/negotiate.ts';
import { renderFamily } from '../exposition/text.ts';
import { Counter, Gauge } from '../instruments/counter-gauge.ts';
import { Histogram } from '../instruments/histogram.ts';
import { type FamilySnapshot, lasting, mergeSnapshots, takeSnapshot } from './snapshot.ts';

const messageKind = 'weir:metrics:snapshot';

interface Message {
  readonly kind: typeof messageKind;
  readonly snapshot: readonly FamilySnapshot[];
}

function isMessage(message: unknown): message is Message {
  return (
    typeof message === 'object' && message !== null && (message as { kind?: unknown }).kind === messageKind
  );
}

/** Options of {@link publishMetrics}. */
export interface PublishOptions {
  readonly metrics: Metrics;
  /**
   * Time from one push to the next, above 0. A killed worker loses what it counted since its last push.
   * @defaultValue 1,000
   */
  readonly intervalMs?: number;
}

/** Pushes the metrics of this `node:cluster` or `node:worker_threads` worker to its parent. Call the result to push a last time and stop. */
export function publishMetrics({ metrics, intervalMs = 1_000 }: PublishOptions): () => void {
  checkMilliseconds('intervalMs', intervalMs);
  const push = (): void => {
    const message: Message = { kind: messageKind, snapshot: takeSnapshot(metrics.registry) };
    if (parentPort !== null) parentPort.postMessage(message);
    else if (process.connected) process.send?.(message);
  };
  push();
  const timer = setInterval(push, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    push();
  };
}

/** Merges the metrics of workers. */
export interface Aggregator {
  /** Includes a worker thread. Workers of `node:cluster` are included without a call. */
  add(thread: Thread): void;
  /** One scrape of all workers, living and dead, and of `own`, in the better accepted format of text and OpenMetrics. */
  scrape(accept?: string): Promise<{ readonly contentType: string; readonly body: string }>;
  /** Stops listening to `node:cluster`. */
  close(): void;
}

/** Starts an aggregator; in a cluster call it in the primary. `own` adds the metrics of this process. */
export function createAggregator({ own }: { readonly own?: Metrics } = {}): Aggregator {
  const latest = new Map<object, readonly FamilySnapshot[]>();
  let retired: readonly FamilySnapshot[] = [];
  const receive = (worker: object, message: unknown): void => {
    if (isMessage(message)) latest.set(worker, message.snapshot);
  };
  const retire = (worker: object): void => {
    const snapshot = latest.get(worker);
    if (snapshot === undefined) return;
    latest.delete(worker);
    retired = mergeSnapshots([retired, lasting(snapshot)]);
  };
  const onMessage = (worker: ClusterWorker, message: unknown): void => receive(worker, message);
  // 'disconnect', not 'exit': a last push may still arrive after the process has exited.
  const onDisconnect = (worker: ClusterWorker): void => retire(worker);
  cluster.on('message', onMessage);
  cluster.on('disconnect', onDisconnect);
  return Object.freeze({
    add(thread: Thread) {
      thread.on('message', (message) => receive(thread, message));
      thread.once('exit', () => retire(thread));
    },
    async scrape(accept?: string) {
      const { format: wanted, contentType: type } = negotiate(accept);
      const { format, contentType } =
        wanted === 'protobuf' ? negotiate(undefined) : { format: wanted, contentType: type };
      const text = format === 'openmetrics' ? 'openmetrics' : 'text';
      const ownSnapshot = own === undefined ? [] : takeSnapshot(own.registry);
      const families = mergeSnapshots([retired, ownSnapshot, ...latest.values()]).map(toFamily);
      const body = families.map((family) => renderFamily(family, text)).join('');
      return { contentType, body: text === 'openmetrics' ? `${body}# EOF\n` : body };
    },
    close() {
      cluster.off('message', onMessage);
      cluster.off('disconnect', onDisconnect);
    },
  });
}

function toFamily({ definition, rows }: FamilySnapshot): Counter | Gauge | Histogram {
  const room = Math.max(1, rows.length);
  if (definition.type === 'counter') {
    const counter = new Counter(definition, room);
    for (const { labels, values } of rows) counter.labels(...labels).setTotal(values[0] as number);
    return counter;
  }
  if (definition.type === 'gauge') {
    const gauge = new Gauge(definition, room);
    for (const { labels, values } of rows) gauge.labels(...labels).set(values[0] as number);
    return gauge;
  }
  const histogram = new Histogram(definition, room);
  for (const { labels, values } of rows) {
    const series = histogram.labels(...labels);
    for (const [index, count] of values.slice(0, -1).entries()) series.addToBucket(index, count);
    series.addToSum(values[values.length - 1] as number);
  }
  return histogram;
}
