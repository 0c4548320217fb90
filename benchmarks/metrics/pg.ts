import { startPostgres } from '@weir/test-kit';
import pg from 'pg';
import { Arm } from './child.ts';
import { push, type Samples, turned } from './samples.ts';

const ARMS = ['null', 'null again', 'weir', 'opentelemetry'];
const WARM_UP = 3;

/** CPU time in µs that a client takes for a query, by kind of query timing. Throws where weir did not time every query. */
export async function measurePg(rounds: number, queries: number): Promise<Samples> {
  const database = await startPostgres();
  const samples: Samples = {};
  try {
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(
      'CREATE TABLE bench_products AS SELECT i AS id, i::text AS name FROM generate_series(0, 99) i',
    );
    await client.end();
    const arms = new Map<string, Arm>();
    for (const name of ARMS) {
      const arm = new Arm('pg-arm.ts', [name, database.url]);
      await arm.receive();
      arms.set(name, arm);
    }
    for (let round = 0; round < rounds + WARM_UP; round += 1) {
      for (const name of turned(ARMS, round)) {
        const { cpuMicros } = await (arms.get(name) as Arm).ask<{ cpuMicros: number }>({ queries });
        if (round >= WARM_UP) push(samples, name, cpuMicros / queries);
      }
    }
    const { count } = await (arms.get('weir') as Arm).ask<{ count: number }>('count');
    if (count !== queries * (rounds + WARM_UP))
      throw new Error(`weir timed ${count} of ${queries * (rounds + WARM_UP)} queries`);
    for (const arm of arms.values()) await arm.stop();
  } finally {
    await database.stop();
  }
  return samples;
}
