import type { Policy } from './policies/policy.ts';

/** The value as one reader may have it: itself, itself deeply frozen, or a copy of the reader's own. */
export function isolate(value: unknown, mode: Policy['values']): unknown {
  if (mode === 'shared' || typeof value !== 'object' || value === null) return value;
  return mode === 'cloned' ? structuredClone(value) : deepFreeze(value);
}

/** Freezes plain objects and arrays all the way down. Typed arrays cannot be frozen; Map and Set keep their methods. */
function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) {
    if (typeof item === 'object' && item !== null) deepFreeze(item);
  }
  return value;
}
