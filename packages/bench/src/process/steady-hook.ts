/*
 * Loaded with `--import` into each Node server of a comparison.
 *
 * While V8 chooses once a process, by what happened to outlive its first collections, which code allocates in the old generation
 * (allocation-site pretenuring), half of all pairs of equal Fastify servers stand 13 to 25 % apart for as long as they run; without, one in
 * twenty does. The time is then in `process.nextTick`, and V8's background compiler decides by its timing: no option that may
 * stand in NODE_OPTIONS or be set later turns that off.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
