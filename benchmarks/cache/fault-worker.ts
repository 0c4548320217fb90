/**
 * One process under steady reads while its Redis misbehaves. Beside the reads, which are timed, two more instances of the
 * same cache hold keys whose source changes in the middle of the fault. Phases are told by messages; each ends with a report.
 */
import { createSubject, type Subject } from './subjects.ts';

export interface FaultJob {
  readonly subject: string;
  readonly redisUrl: string;
  readonly loadMs: number;
}

/** `update` changes the source of every watched key; `converge` waits until no instance hands out the old one. */
export interface Phase {
  readonly durationMs: number;
  readonly also?: 'update' | 'converge';
}

export interface PhaseReport {
  readonly reads: number;
  readonly errors: number;
  /** Reads that had not settled when the phase ended, though it was told to end 2 s before. */
  readonly hung: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly unhandled: number;
  readonly heapMb: number;
  /** Watched keys of which an instance still has the old value at the end. */
  readonly incoherent: number;
}

const lanes = 20;
const keys = 400;
const watched = Array.from({ length: 40 }, (_, index) => `watched ${index}`);

function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return Promise.race([
    promise.catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(resolve, ms, undefined)),
  ]);
}

async function run(job: FaultJob): Promise<void> {
  let unhandled = 0;
  process.on('unhandledRejection', () => {
    unhandled += 1;
  });
  const { loadMs, redisUrl, subject: name } = job;
  const subject = await createSubject(name, { ttlMs: 300, size: 10_000, redisUrl });
  const lasting = { ttlMs: 600_000, size: 10_000, redisUrl };
  const others = await Promise.all([createSubject(name, lasting), createSubject(name, lasting)]);
  let version = 1;
  const after = <T>(value: T) => new Promise<T>((resolve) => setTimeout(resolve, loadMs, value));
  const load = () => after({ text: 'x'.repeat(200) });
  const readVersion = async (from: Subject, key: string) => {
    const read = from.read(key, () => after({ version }));
    return (((await within(read, 1_000)) ?? {}) as { version?: number }).version;
  };
  for (const other of others) for (const key of watched) await readVersion(other, key);

  const update = async () => {
    version += 1;
    const [writer] = others;
    await Promise.all(watched.map((key) => within(Promise.resolve(writer?.remove(key)), 1_000)));
  };
  const countIncoherent = async () => {
    const versions = await Promise.all(
      watched.flatMap((key) => others.map((other) => readVersion(other, key))),
    );
    return versions.filter((seen) => seen !== version).length;
  };

  const phase = async ({ also, durationMs }: Phase): Promise<PhaseReport> => {
    const end = performance.now() + durationMs;
    const durations: number[] = [];
    let errors = 0;
    let running = 0;
    unhandled = 0;
    const lane = async (offset: number) => {
      for (let index = offset; performance.now() < end; index += lanes) {
        const start = performance.now();
        running += 1;
        try {
          await subject.read(`k${index % keys}`, load);
        } catch {
          errors += 1;
        }
        running -= 1;
        durations.push(performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const all = Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
    if (also === 'update') setTimeout(() => void update(), durationMs / 2);
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, durationMs + 2_000))]);
    const incoherent = also === 'converge' ? await countIncoherent() : 0;
    durations.sort((a, b) => a - b);
    const at = (share: number) => durations[Math.floor(durations.length * share)] ?? Number.POSITIVE_INFINITY;
    globalThis.gc?.();
    return {
      reads: durations.length,
      errors,
      hung: running,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: durations.at(-1) ?? Number.POSITIVE_INFINITY,
      unhandled,
      heapMb: process.memoryUsage().heapUsed / 2 ** 20,
      incoherent,
    };
  };

  process.on('message', (message: Phase) => {
    void phase(message).then((report) => process.send?.(report));
  });
  process.send?.('ready');
}

process.once('message', (job: FaultJob) => void run(job));
process.on('disconnect', () => process.exit());
