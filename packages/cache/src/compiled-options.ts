import type { GetOrSetOptions } from './cache.ts';
import { checkKeys } from './options.ts';
import { compilePolicy, type Policy, policyKeys } from './policies/policy.ts';
import { nameTags } from './stores/names.ts';

/** What one call's options come to. */
export interface CompiledCall {
  readonly policy: Policy;
  /** Names (`tagName`) of the tags. */
  readonly tags: readonly string[];
}

const known: readonly string[] = [...policyKeys, 'tags', 'signal'];

/**
 * The options of ad-hoc calls, compiled once for each options object: callers nearly always pass the same one again. One
 * whose fields have changed since is compiled anew.
 */
export class CompiledOptions {
  readonly #defaults: Policy;
  readonly #calls = new WeakMap<object, { readonly fields: GetOrSetOptions; readonly call: CompiledCall }>();

  constructor(defaults: Policy) {
    this.#defaults = defaults;
  }

  /** Throws `ERR_WEIR_CACHE_INVALID_OPTION` on the first option that is unknown or out of range. */
  get(options: GetOrSetOptions): CompiledCall {
    const found = this.#calls.get(options);
    if (found !== undefined && hasSameFields(options, found.fields)) return found.call;
    checkKeys('options', options, known);
    const { tags } = options;
    const call = {
      policy: compilePolicy(options, this.#defaults),
      tags: tags === undefined ? noTags : nameTags(tags),
    };
    // A list of tags can change without changing a field.
    if (tags === undefined) this.#calls.set(options, { fields: { ...options }, call });
    return call;
  }
}

const noTags: readonly string[] = Object.freeze([]);

function hasSameFields(options: GetOrSetOptions, fields: GetOrSetOptions): boolean {
  let count = 0;
  for (const name in options) {
    if (options[name as keyof GetOrSetOptions] !== fields[name as keyof GetOrSetOptions]) return false;
    count += 1;
  }
  for (const _ in fields) count -= 1;
  return count === 0;
}
