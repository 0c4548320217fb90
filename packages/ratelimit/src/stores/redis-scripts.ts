import {
  adjustLua,
  algorithmsLua,
  clockLua,
  decideGcraLua,
  decideLua,
  fixedWindowLua,
  gcraLua,
  recordLua,
  slidingCounterLua,
  slidingLogLua,
  tokenBucketLua,
} from '../lua/scripts.gen.ts';
import { isLoneGcra, type Plan } from '../plan.ts';
import { createScript, type Script } from './redis-client.ts';

/** The scripts of a plan. */
export interface PlanScripts {
  /** Decides entries whose keys all differ. */
  readonly decide: Script;
  /** Decides entries of which several may look at one record. */
  readonly decideShared: Script;
  readonly adjust: Script;
}

const algorithmLua: Record<string, string> = {
  g: gcraLua,
  f: fixedWindowLua,
  c: slidingCounterLua,
  l: slidingLogLua,
  t: tokenBucketLua,
};

const compiled = new Map<string, PlanScripts>();

/** Lua that a plan needs, with `now` from `clock`: Redis makes every function of a script anew at each call. */
export function luaFor(plan: Plan, clock: string, script: string): string {
  const functions = [...plan.codes].map((code) => algorithmLua[code] as string);
  return [clock, algorithmsLua, ...functions, recordLua, script].join('');
}

/** The scripts of a plan, made once for every set of algorithms. */
export function scriptsFor(plan: Plan): PlanScripts {
  const lone = isLoneGcra(plan);
  const id = `${lone} ${plan.codes}`;
  let scripts = compiled.get(id);
  if (scripts === undefined) {
    const decideShared = createScript('decide', luaFor(plan, clockLua, decideLua));
    scripts = {
      decide: lone ? createScript('decide', clockLua + decideGcraLua) : decideShared,
      decideShared,
      adjust: createScript('adjust', luaFor(plan, clockLua, adjustLua)),
    };
    compiled.set(id, scripts);
  }
  return scripts;
}
