/*
 * Loaded with `--import` into each Node server of a comparison.
 *
 * While V8 chooses once a process, by what happened to outlive its first collections, which code allocates in the old generation
 * (allocation-site pretenuring), half of all pairs of equal Fastify servers stand 13 to 25 % apart for as long as they run; without, one in
 * twenty does. The time is then in `process.nextTick`, and the timing of V8's background compiler decides: `--single-threaded` ends
 * that too, but may not stand in NODE_OPTIONS, and turning that compiler off from here came too late.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
