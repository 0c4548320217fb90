import { expect, onTestFinished, test, vi } from 'vitest';
import { ReadQueue } from '../src/threads/read-queue.ts';

/** A queue whose reads end when the test says so. */
function setUp() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const queue = new ReadQueue({ maxWaiting: 2, timeoutMs: 1_000 });
  const begun: string[] = [];
  const ends = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  const read = (name: string, signal?: AbortSignal): Promise<string> =>
    queue
      .run(() => {
        begun.push(name);
        return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
      }, signal)
      .catch((error: Error) => `${error.name}: ${error.message}`);
  /** Lets everything that is due happen. */
  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  return { queue, begun, ends, read, settle };
}

test('reads run one after the other, in their order, also after one that failed', async () => {
  const { queue, begun, ends, read, settle } = setUp();
  const [a, b, c] = [read('a'), read('b'), read('c')];
  await settle();
  expect([begun, queue.active]).toEqual([['a'], 3]);
  ends.get('a')?.reject(new Error('broken'));
  expect(await a).toBe('Error: broken');
  await settle();
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')?.resolve('done');
  expect(await b).toBe('done');
  await settle();
  ends.get('c')?.resolve('done');
  expect([await c, queue.active]).toEqual(['done', 0]);
  void read('d');
  await settle();
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
});

test('a read that nobody waits for leaves the queue without running', async () => {
  const { queue, begun, ends, read, settle } = setUp();
  const gone = new AbortController();
  void read('a');
  const b = read('b', gone.signal);
  const c = read('c');
  gone.abort();
  expect(await b).toBe('PromqlError: the read was canceled');
  expect(await read('d', gone.signal)).toBe('PromqlError: the read was canceled');
  ends.get('a')?.resolve('done');
  await settle();
  ends.get('c')?.resolve('done');
  expect([await c, begun, queue.active]).toEqual(['done', ['a', 'c'], 0]);
});

test('more reads than may wait are refused, and those that wait too long too', async () => {
  const { queue, begun, ends, read, settle } = setUp();
  const a = read('a');
  const waiting = [read('b'), read('c')];
  expect(await read('d')).toBe('ServiceError: 2 reads are waiting already. Ask again in a moment.');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await Promise.all(waiting)).toEqual(new Array(2).fill('PromqlError: the read waited for 1000 ms'));
  ends.get('a')?.resolve('done');
  expect(await a).toBe('done');
  await settle();
  expect([begun, queue.active]).toEqual([['a'], 0]);
});
