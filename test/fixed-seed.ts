/**
 * In CI every property test replays one seed, so that the same commit gives the same answer twice; a run by hand draws a
 * new one and goes on searching.
 */
import { configureGlobal } from 'fast-check';

if (process.env.CI) configureGlobal({ seed: 20_261_122 });
