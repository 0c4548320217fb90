/** `pnpm prove:ratelimit [exactness | failure | attack | overload …]`: the promises on real servers; exits 1 when one broke. */
import { proveAttack } from './attack.ts';
import { proveExactness } from './exactness.ts';
import { proveFailure } from './failure.ts';
import { proveOverload } from './overload.ts';

const proofs: Record<string, () => Promise<boolean>> = {
  exactness: proveExactness,
  failure: proveFailure,
  attack: proveAttack,
  overload: proveOverload,
};
const wanted = process.argv.slice(2);
for (const [name, prove] of Object.entries(proofs)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (await prove()) continue;
  console.error(`${name}: a promise was broken`);
  process.exitCode = 1;
}
