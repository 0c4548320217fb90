/*
 * Loaded with `--import` into each Node server of a comparison.
 *
 * V8 decides once a process, by what happened to outlive its first collections, which code allocates in the old generation.
 * Equal processes decide otherwise, and one that puts short-lived objects there stays some 20 % slower for as long as it runs: by
 * far the largest difference between two fresh processes of one build. Without these decisions both builds allocate alike.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
