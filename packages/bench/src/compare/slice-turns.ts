import type { LoadGate } from '../load/closed-loop.ts';
import type { Clock } from '../process/cpu.ts';

/** Options of {@link startTurns}. */
export interface TurnOptions {
  readonly arms: readonly string[];
  /** How long each arm is loaded before it is the other's turn. */
  readonly sliceMs: number;
  /** The measured time; turns outside of it are not counted. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly clock: Clock;
}

/** Loads that take turns on one processor. */
export interface Turns {
  gateOf(arm: string): LoadGate;
  /** How much of the measured time an arm had, the end of its last request included. */
  openMs(arm: string): number;
  stop(): void;
}

interface Arm {
  isOpen: boolean;
  openMs: number;
  load: Parameters<LoadGate['attach']>[0] | undefined;
}

const isDrained = ({ load }: Arm): boolean => load === undefined || load.inFlight() === 0;

/** A turn ends when what it began is answered, but no later than this; a server that answers nothing must not keep the turn. */
const longestDrainMs = 1_000;

/**
 * Gives each arm a turn of `sliceMs`: what it began is awaited before the other's turn begins, so that the processor works for one arm
 * at a time, and the order changes from couple to couple (AB, BA, AB …), so that drift weighs on both alike. Nothing polls:
 * whoever waits on the one processor takes it from the server that is waited for.
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
  /** Whose turn is over but for what it began. */
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
    // Nothing begins after the measured time; the last turns only let the loads notice.
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
          // Later than the call, which comes from a client that has not put its own state in order yet.
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
