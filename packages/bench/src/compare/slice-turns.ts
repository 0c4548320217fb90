import type { LoadGate } from '../load/closed-loop.ts';
import type { Clock } from '../process/cpu.ts';

/** Options of {@link startTurns}. */
export interface TurnOptions {
  readonly arms: readonly string[];
  /** How long each arm is loaded before the other one's turn. */
  readonly sliceMs: number;
  /** Begin and end of the measured time. Turns outside of it are not counted. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly clock: Clock;
}

/** Loads that take turns on one processor. */
export interface Turns {
  gateOf(arm: string): LoadGate;
  /** The arm's part of the measured time, up to the end of its last request. */
  openMs(arm: string): number;
  stop(): void;
}

interface Arm {
  isOpen: boolean;
  openMs: number;
  load: Parameters<LoadGate['attach']>[0] | undefined;
}

const isDrained = ({ load }: Arm): boolean => load === undefined || load.inFlight() === 0;

/** A turn ends when its requests are answered, but no later than this, since a server may never answer. */
const longestDrainMs = 1_000;

/**
 * Gives each arm turns of `sliceMs`. The requests of a turn are awaited before the next turn begins, so that the processor works for one arm
 * at a time. The order alternates (AB, BA, AB …), so that drift affects both arms equally. Nothing polls, since polling would take
 * the only processor from the server.
 */
export function startTurns(options: TurnOptions): Turns {
  const { sliceMs, fromMs, toMs, clock } = options;
  const arms = new Map<string, Arm>(
    options.arms.map((name) => [name, { isOpen: false, openMs: 0, load: undefined }]),
  );
  const [first, second] = [...arms.values()];
  if (first === undefined || second === undefined) throw new Error('Turns need two arms.');
  const cycle = [first, second, second, first];
  let turn = 0;
  let beganMs = 0;
  /** The arm whose turn is over, but whose requests are still in flight. */
  let draining: Arm | undefined;
  let timer: NodeJS.Timeout | undefined;
  let passing: NodeJS.Immediate | undefined;

  const begin = (): void => {
    const arm = cycle[turn % cycle.length] as Arm;
    turn += 1;
    beganMs = clock.now();
    arm.isOpen = true;
    arm.load?.resume();
    timer = setTimeout(() => {
      arm.isOpen = false;
      if (isDrained(arm)) return pass(arm);
      draining = arm;
      timer = setTimeout(pass, longestDrainMs, arm);
    }, sliceMs);
  };
  const pass = (arm: Arm): void => {
    clearTimeout(timer);
    clearImmediate(passing);
    draining = undefined;
    if (beganMs < toMs) arm.openMs += Math.max(0, clock.now() - Math.max(beganMs, fromMs));
    // No request begins after the measured time; in the last turns the loads notice its end.
    begin();
  };
  begin();
  return {
    gateOf(name) {
      const arm = arms.get(name);
      if (arm === undefined) throw new Error(`No arm is called ${name}.`);
      return {
        isOpen: () => arm.isOpen,
        attach: (load) => {
          arm.load = load;
        },
        ended: () => {
          if (arm !== draining || !isDrained(arm)) return;
          // Deferred, since the client that calls has not updated its own state yet.
          clearImmediate(passing);
          passing = setImmediate(pass, arm);
        },
      };
    },
    openMs: (name) => arms.get(name)?.openMs ?? 0,
    stop() {
      draining = undefined;
      clearTimeout(timer);
      clearImmediate(passing);
    },
  };
}
