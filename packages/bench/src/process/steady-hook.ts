/*
 * Loaded with `--import` into each Node server of a comparison.
 *
 * Once per process, V8 decides which code allocates in the old generation, from the objects that survive its first collections
 * (allocation-site pretenuring). With it, half of all pairs of equal Fastify servers differ by 13 to 25 % for as long as they run; without it, one
 * in twenty does. The remaining difference is in `process.nextTick` and depends on the timing of V8's background compiler.
 * `--single-threaded` removes it as well, but is not allowed in NODE_OPTIONS, and disabling that compiler from here is too late.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
