/** One process under steady reads while its Redis misbehaves. Phases are told by messages; each ends with a report. */
import { createSubject } from './subjects.ts';

export interface FaultJob {
  readonly subject: string;
  readonly redisUrl: string;
  readonly loadMs: number;
}

export interface PhaseReport {
  readonly reads: number;
  readonly errors: number;
  /** Reads that had not settled when the phase ended, though it was told to end 2 s before. */
  readonly hung: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly unhandled: number;
  readonly heapMb: number;
}

const lanes = 20;
const keys = 400;

async function run(job: FaultJob): Promise<void> {
  let unhandled = 0;
  process.on('unhandledRejection', () => {
    unhandled += 1;
  });
  const subject = await createSubject(job.subject, { ttlMs: 300, size: 10_000, redisUrl: job.redisUrl });
  const load = () => new Promise((resolve) => setTimeout(resolve, job.loadMs, { text: 'x'.repeat(200) }));

  const phase = async (durationMs: number): Promise<PhaseReport> => {
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
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, durationMs + 2_000))]);
    durations.sort((a, b) => a - b);
    globalThis.gc?.();
    return {
      reads: durations.length,
      errors,
      hung: running,
      p99Ms: durations[Math.floor(durations.length * 0.99)] ?? Number.POSITIVE_INFINITY,
      maxMs: durations.at(-1) ?? Number.POSITIVE_INFINITY,
      unhandled,
      heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    };
  };

  process.on('message', (durationMs: number) => {
    void phase(durationMs).then((report) => process.send?.(report));
  });
  process.send?.('ready');
}

process.once('message', (job: FaultJob) => void run(job));
process.on('disconnect', () => process.exit());
