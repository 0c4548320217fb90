/** Twenty functions of unlike work on the way of a request; the one named by SLOW does about 10 % of a request more. */
import { createServer } from 'node:http';

const slow = Number(process.env.SLOW ?? -1);
const more = Number(process.env.MORE ?? 1_500);

type Work = (steps: number) => number;
const kernels: readonly Work[] = [Math.sqrt, Math.cbrt, Math.log1p, Math.atan, Math.sinh].map(
  (kernel) => (steps) => {
    let sum = 0;
    for (let step = 0; step < steps; step += 1) sum += kernel(step % 17);
    return sum;
  },
);

/** Made from text, so that each has a name and code of its own and is optimised by itself. */
const functions: readonly Work[] = Array.from({ length: 20 }, (_, index) => {
  const source = `return function step${index}(steps) { let sum = ${index}; for (let i = 0; i < steps; i += 1) sum = (Math.imul(sum, ${1_664_525 + 2 * index}) + i) | 0; return sum; }`;
  return new Function(source)() as Work;
});

createServer((_request, response) => {
  let sum = 0;
  for (const kernel of kernels) sum += kernel(20);
  functions.forEach((work, index) => {
    sum += work(index === slow ? 40 + more : 40);
  });
  response.end(String(Number.isNaN(sum)));
}).listen(Number(process.env.PORT), '127.0.0.1');
