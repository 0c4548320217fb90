/**
 * `pnpm prove:ratelimit [exactness | failure | attack | overload …]`: the promises on real servers, in under ten
 * minutes. Writes benchmarks/results/ratelimit-proofs.json; exits 1 when a promise was broken, 2 for an unknown name.
 */
import { proveAttack } from './attack.ts';
import { proveExactness } from './exactness.ts';
import { proveFailure } from './failure.ts';
import { proveOverload } from './overload.ts';
import { type Proof, record } from './report.ts';

const proofs: Record<string, () => Promise<Proof>> = {
  exactness: proveExactness,
  failure: proveFailure,
  attack: proveAttack,
  overload: proveOverload,
};
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(proofs, name));
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. Expected any of ${Object.keys(proofs).join(', ')}.`);
  process.exit(2);
}
for (const [name, prove] of Object.entries(proofs)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  const proof = await prove();
  await record(name, proof, performance.now() - started);
  if (proof.held) continue;
  console.error(`${name}: a promise was broken`);
  process.exitCode = 1;
}
