import { Arm } from './child.ts';
import { HttpLoad } from './http-load.ts';
import { push, type Samples, turned } from './samples.ts';

const ARMS = ['null', 'null again', 'weir', 'prom-client', 'prometheus-io', 'fastify-metrics'];
// Rounds that are not counted: hooks are called often enough in them to be compiled.
const WARM_UP = 3;

/** CPU time in µs that a Fastify server takes for a request, by kind of metrics. Throws where an arm did not count every request. */
export async function measureHttp(rounds: number, requests: number): Promise<Samples> {
  const arms = new Map<string, { readonly arm: Arm; readonly load: HttpLoad }>();
  for (const name of ARMS) {
    const arm = new Arm('http-arm.ts', [name]);
    const { origin } = await arm.receive<{ origin: string }>();
    arms.set(name, { arm, load: await HttpLoad.open(origin, '/hello/world') });
  }
  const samples: Samples = {};
  for (let round = 0; round < rounds + WARM_UP; round += 1) {
    for (const name of turned(ARMS, round)) {
      const { arm, load } = arms.get(name) as { arm: Arm; load: HttpLoad };
      const before = await arm.ask<{ cpuMicros: number }>('cpu');
      await load.send(requests);
      const after = await arm.ask<{ cpuMicros: number }>('cpu');
      if (round >= WARM_UP) push(samples, name, (after.cpuMicros - before.cpuMicros) / requests);
    }
  }
  const sent = requests * (rounds + WARM_UP);
  for (const [name, { arm, load }] of arms) {
    const { count } = await arm.ask<{ count?: number }>('count');
    if (!name.startsWith('null') && count !== sent)
      throw new Error(`${name} counted ${count} of ${sent} requests`);
    load.close();
    await arm.stop();
  }
  return samples;
}
