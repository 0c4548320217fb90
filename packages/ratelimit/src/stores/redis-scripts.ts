import {
  adjustLua,
  algorithmsLua,
  clockLua,
  decideLua,
  fixedWindowLua,
  gcraLua,
  recordLua,
  slidingCounterLua,
  slidingLogLua,
  tokenBucketLua,
} from '../lua/scripts.gen.ts';
import type { Plan } from '../plan.ts';
import { createScript, type Script } from './redis-client.ts';

/** The two scripts of a plan. */
export interface PlanScripts {
  readonly decide: Script;
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
  const codes = new Set(plan.layout.replaceAll(/\d/g, ''));
  const functions = [...codes].sort().map((code) => algorithmLua[code] as string);
  return [clock, algorithmsLua, ...functions, recordLua, script].join('');
}

/** The scripts of a plan, made once for every set of algorithms. */
export function scriptsFor(plan: Plan): PlanScripts {
  let scripts = compiled.get(plan.layout);
  if (scripts === undefined) {
    scripts = {
      decide: createScript('decide', luaFor(plan, clockLua, decideLua)),
      adjust: createScript('adjust', luaFor(plan, clockLua, adjustLua)),
    };
    compiled.set(plan.layout, scripts);
  }
  return scripts;
}
