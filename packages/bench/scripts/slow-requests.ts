/** Loaded into a server with `--import`: each request costs some arithmetic more, as a careless change would make it. */
import { Server } from 'node:http';

const steps = Number(process.env.SLOW_STEPS ?? 2_000);
const emit = Server.prototype.emit;
let state = 1;

Server.prototype.emit = function slowed(this: Server, name: string, ...args: unknown[]): boolean {
  if (name === 'request') {
    for (let step = 0; step < steps; step += 1) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  }
  return Reflect.apply(emit, this, [name, ...args]) as boolean;
} as typeof emit;
