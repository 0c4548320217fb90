import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createManualClock } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlertNotifier } from '../src/exchange/alert-notifier.ts';
import { DeliveryError } from '../src/network/guarded-client.ts';
import type { FiringAlert, GroupAlerts } from '../src/rules/rule-state.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const graceMs = 5_000;
const here = new URL('http://receiver/hook');
const there = new URL('http://other/hook');
const groups = [
  { key: 'a', alerts: ['A', 'Shared'] },
  { key: 'b', alerts: ['B', 'Shared'] },
];

/** A receiver that keeps what it was told, and notifiers before it that may be restarted. */
function createScene(directory = temporaryDirectory()) {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const path = join(directory, 'told.json');
  const told: string[] = [];
  const errors: string[] = [];
  const receiver = { isAway: false, refuses: '', maxBytes: Number.POSITIVE_INFINITY };
  const sizes: number[] = [];
  const outcomes = { delivered: 0, failed: 0 };
  const firing = new Map<string, Set<string>>(groups.map(({ key }) => [key, new Set()]));
  const open = (): AlertNotifier =>
    new AlertNotifier({
      path,
      now: clock.now,
      post: async (url, text) => {
        const body = JSON.parse(text) as {
          groupLabels: { alertname: string };
          alerts: { status: string; labels: { alertname: string; n?: string } }[];
        };
        if (receiver.isAway || receiver.refuses === body.groupLabels.alertname)
          throw new Error('It is away.');
        if (text.length > receiver.maxBytes) throw new DeliveryError('receiver', 413);
        sizes.push(body.alerts.length);
        for (const { status, labels } of body.alerts)
          told.push(`${url === here ? '' : 'there '}${status} ${labels.alertname}${labels.n ?? ''}`);
      },
      onError: (message) => errors.push(message),
      onNotified: (outcome, count) => {
        outcomes[outcome] += count;
      },
      externalUrl: () => 'http://weir',
      pause: (ms, signal) =>
        Promise.race([
          clock.sleep(ms),
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
        ]),
    });
  const alertOf = (id: string): FiringAlert => {
    const [, alertname = '', n] = /^([A-Za-z]+)(\d*)$/.exec(id) ?? [];
    return {
      id,
      labels: { alertname, ...(n === '' || n === undefined ? {} : { n }) },
      annotations: {},
      startsAtMs: clock.now(),
      query: 'up',
    };
  };
  let notifier = open();
  return {
    clock,
    told,
    sizes,
    outcomes,
    errors,
    receiver,
    firing,
    path,
    evaluate: async (unknown: readonly string[] = []): Promise<void> => {
      for (const [key, ids] of firing) {
        const alerts: GroupAlerts = { firing: [...ids].map(alertOf), unknown };
        notifier.report(key, alerts);
      }
      await clock.advanceAsync(1_000);
    },
    update: (next = groups, url: URL | undefined = here): Promise<void> =>
      notifier.update(next, url, graceMs),
    restart: async (downMs: number): Promise<void> => {
      await notifier.stop();
      await clock.advanceAsync(downMs);
      notifier = open();
    },
    pending: () => notifier.pending,
  };
}

type Scene = ReturnType<typeof createScene>;

async function fire(scene: Scene, ...ids: string[]): Promise<void> {
  for (const id of ids) scene.firing.get(id.startsWith('B') ? 'b' : 'a')?.add(id);
  await scene.evaluate();
}

async function end(scene: Scene, ...ids: string[]): Promise<void> {
  for (const id of ids) for (const set of scene.firing.values()) set.delete(id);
  await scene.evaluate();
}

const stories: Record<string, [story: (scene: Scene) => Promise<void>, told: string[]]> = {
  'begins while the receiver is away': [
    async (scene) => {
      scene.receiver.isAway = true;
      await fire(scene, 'A');
      await scene.clock.advanceAsync(3_600_000);
      expect([scene.told, scene.pending()]).toEqual([[], 1]);
      scene.receiver.isAway = false;
      await scene.clock.advanceAsync(15_000);
    },
    ['firing A'],
  ],
  'ends while the receiver is away': [
    async (scene) => {
      await fire(scene, 'A');
      scene.receiver.isAway = true;
      await end(scene, 'A');
      await scene.clock.advanceAsync(600_000);
      scene.receiver.isAway = false;
      await scene.clock.advanceAsync(15_000);
    },
    ['firing A', 'resolved A'],
  ],
  'begins and ends while the receiver is away': [
    async (scene) => {
      scene.receiver.isAway = true;
      await fire(scene, 'A');
      await end(scene, 'A');
      scene.receiver.isAway = false;
      await scene.clock.advanceAsync(60_000);
    },
    [],
  ],
  'ends and begins again while the receiver is away': [
    async (scene) => {
      await fire(scene, 'A');
      scene.receiver.isAway = true;
      await end(scene, 'A');
      await fire(scene, 'A');
      scene.receiver.isAway = false;
      await scene.clock.advanceAsync(60_000);
    },
    ['firing A'],
  ],
  'is of another name than one that the receiver never takes': [
    async (scene) => {
      scene.receiver.refuses = 'A';
      await fire(scene, 'A', 'B');
      await end(scene, 'B');
      await scene.clock.advanceAsync(60_000);
      scene.receiver.refuses = '';
      await scene.clock.advanceAsync(15_000);
    },
    ['firing B', 'resolved B', 'firing A'],
  ],
  'fires for long': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.clock.advanceAsync(4 * 3_600_000 - 2_000);
      await scene.evaluate();
      expect(scene.told).toEqual(['firing A']);
      await scene.evaluate();
    },
    ['firing A', 'firing A'],
  ],
  'ends while the service is down, once targets could be read': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.restart(60_000);
      scene.firing.get('a')?.clear();
      await scene.update();
      await scene.evaluate();
      await scene.evaluate();
      expect(scene.told).toEqual(['firing A']);
      await scene.clock.advanceAsync(graceMs);
      await scene.evaluate();
    },
    ['firing A', 'resolved A'],
  ],
  'goes on over a restart': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.restart(60_000);
      await scene.update();
      await scene.clock.advanceAsync(graceMs * 2);
      await scene.evaluate();
    },
    ['firing A'],
  ],
  'was not delivered before a restart': [
    async (scene) => {
      scene.receiver.isAway = true;
      await fire(scene, 'A');
      await scene.restart(60_000);
      scene.receiver.isAway = false;
      await scene.update();
      await scene.evaluate();
    },
    ['firing A'],
  ],
  'was not delivered as resolved before a restart': [
    async (scene) => {
      await fire(scene, 'A');
      scene.receiver.isAway = true;
      await end(scene, 'A');
      await scene.restart(60_000);
      scene.receiver.isAway = false;
      await scene.update();
      await scene.clock.advanceAsync(graceMs);
      await scene.evaluate();
    },
    ['firing A', 'resolved A'],
  ],
  'is of a rule that has only failed since a restart': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.restart(60_000);
      scene.firing.get('a')?.clear();
      await scene.update();
      await scene.clock.advanceAsync(graceMs);
      await scene.evaluate(['A']);
    },
    ['firing A'],
  ],
  'shares its name with a rule that always fails': [
    async (scene) => {
      scene.firing.get('a')?.add('Shared1');
      await scene.evaluate(['Shared']);
      scene.firing.get('a')?.clear();
      await scene.evaluate(['Shared']);
    },
    ['firing Shared1', 'resolved Shared1'],
  ],
  'is of a rule that a reload takes out': [
    async (scene) => {
      await fire(scene, 'A', 'B');
      await scene.update([groups[1] as (typeof groups)[number]]);
      await scene.clock.advanceAsync(1_000);
    },
    ['firing A', 'firing B', 'resolved A'],
  ],
  'is of a rule taken out while the service is down': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.restart(60_000);
      await scene.update([]);
      await scene.clock.advanceAsync(1_000);
    },
    ['firing A', 'resolved A'],
  ],
  'is of a rule that a reload keeps, and is evaluated late': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.update();
      await scene.clock.advanceAsync(600_000);
      await scene.evaluate();
    },
    ['firing A'],
  ],
  'moves to another group': [
    async (scene) => {
      await fire(scene, 'Shared1');
      await scene.update();
      scene.firing.get('a')?.clear();
      scene.firing.get('b')?.add('Shared1');
      await scene.evaluate();
    },
    ['firing Shared1'],
  ],
  'fires when another receiver takes over': [
    async (scene) => {
      await fire(scene, 'A');
      await scene.update(groups, there);
      await scene.evaluate();
      await end(scene, 'A');
    },
    ['firing A', 'there firing A', 'there resolved A'],
  ],
  'fires while there is no receiver': [
    async (scene) => {
      await scene.update(groups, undefined);
      await fire(scene, 'A');
      expect(scene.pending()).toBe(0);
      await scene.update(groups, here);
      await scene.evaluate();
    },
    ['firing A'],
  ],
};

test.each(Object.entries(stories))('an alert that %s is notified correctly', async (_, [story, told]) => {
  const scene = createScene();
  await scene.update();
  await scene.evaluate();
  await story(scene);
  expect(scene.told).toEqual(told);
  expect(scene.pending()).toBe(0);
});

test('unreadable notified alerts are reported, and firing alerts are sent again', async () => {
  const scene = createScene();
  writeFileSync(scene.path, '{"receiver": ');
  await scene.update();
  await fire(scene, 'A');
  expect(scene.told).toEqual(['firing A']);
  expect(scene.errors).toEqual([expect.stringContaining('cannot be read')]);
});

test('an outage of the receiver is reported once, not at each attempt', async () => {
  const scene = createScene();
  await scene.update();
  scene.receiver.isAway = true;
  await fire(scene, 'A', 'B');
  await scene.clock.advanceAsync(600_000);
  expect(scene.errors).toEqual(['alert webhook: It is away. The service retries it.']);
});

test.each([
  ['takes any size', Number.POSITIVE_INFINITY],
  ['takes a hundred alerts at a time', 30_000],
  ['takes a few alerts at a time', 1_500],
])('a receiver that %s gets every alert once, at most 500 in a request', async (_, maxBytes) => {
  const scene = createScene();
  await scene.update();
  scene.receiver.maxBytes = maxBytes;
  const ids = Array.from({ length: 1_201 }, (_, i) => `A${i}`);
  await fire(scene, ...ids);
  expect(scene.told.toSorted()).toEqual(ids.map((id) => `firing ${id}`).sort());
  expect(Math.max(...scene.sizes)).toBeLessThanOrEqual(500);
  expect([scene.pending(), scene.errors, scene.outcomes]).toEqual([0, [], { delivered: 1_201, failed: 0 }]);
});

test('an alert that is too large by itself stays due and is reported, and the others are delivered', async () => {
  const scene = createScene();
  await scene.update();
  scene.receiver.maxBytes = 2_000;
  const large = `A${'9'.repeat(2_000)}`;
  await fire(scene, 'A1', large, 'A2', 'A3');
  expect(scene.told.toSorted()).toEqual(['firing A1', 'firing A2', 'firing A3']);
  expect(scene.errors).toEqual(['alert webhook: receiver answered 413. The service retries it.']);
  expect(scene.pending()).toBe(1);
  scene.receiver.maxBytes = 20_000;
  await scene.clock.advanceAsync(15_000);
  expect([scene.told.at(-1), scene.pending()]).toEqual([`firing ${large}`, 0]);
});

test('beyond ten thousand alerts further ones are not sent, which is reported', async () => {
  const scene = createScene();
  await scene.update();
  await fire(scene, ...Array.from({ length: 10_003 }, (_, i) => `A${i}`));
  expect(scene.told).toHaveLength(10_000);
  expect(scene.errors).toEqual(['3 alerts are not sent: 10000 others fire.']);
});

test('whatever happens in between, the receiver ends up with exactly what fires, and hears of no end without a beginning', async () => {
  const id = fc.constantFrom('A1', 'A2', 'B1', 'Shared1', 'Shared2');
  const step = fc.oneof(
    fc.record({ do: fc.constant('fire' as const), id }),
    fc.record({ do: fc.constant('end' as const), id }),
    fc.record({ do: fc.constantFrom('away', 'back', 'restart', 'reload', 'wait') }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const scene = createScene();
      await scene.update();
      for (const one of steps) {
        if (one.do === 'fire') await fire(scene, (one as { id: string }).id);
        else if (one.do === 'end') await end(scene, (one as { id: string }).id);
        else if (one.do === 'away' || one.do === 'back') scene.receiver.isAway = one.do === 'away';
        else if (one.do === 'wait') await scene.clock.advanceAsync(20_000);
        else {
          if (one.do === 'restart') await scene.restart(10_000);
          await scene.update();
        }
      }
      scene.receiver.isAway = false;
      await scene.clock.advanceAsync(graceMs);
      await scene.evaluate();
      await scene.clock.advanceAsync(20_000);
      const believed = new Set<string>();
      for (const [, status, name = ''] of scene.told.map((text) => /^(\w+) (\w+)$/.exec(text) ?? [])) {
        expect(believed.has(name)).toBe(status === 'resolved');
        if (status === 'firing') believed.add(name);
        else believed.delete(name);
      }
      expect([...believed].sort()).toEqual([...scene.firing.values()].flatMap((set) => [...set]).sort());
    }),
    { numRuns: 60 },
  );
});
