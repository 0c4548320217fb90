import { basename } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import type { BenchmarkConfig } from '../config/config.ts';
import { openEventStream, sendProblem } from './answers.ts';

type Named = { Params: { name: string } };
type OneRun = { Params: { name: string; id: string } };

interface BenchmarkRoutesOptions {
  readonly runner: BenchmarkRunner;
  readonly runs: RunStore;
}

/** `/benchmarks`: the list, runs on demand, their history and live progress. */
export function addBenchmarkRoutes(
  app: FastifyInstance,
  { runner, runs: store }: BenchmarkRoutesOptions,
): void {
  const find = (name: string): BenchmarkConfig | undefined =>
    runner.benchmarks.find((benchmark) => benchmark.name === name);
  const unknownBenchmark = (reply: FastifyReply, name: string): FastifyReply =>
    sendProblem(
      reply,
      404,
      'Unknown benchmark',
      `No benchmark is named ${JSON.stringify(name)}. GET /benchmarks lists them.`,
    );
  const unknownRun = (reply: FastifyReply, name: string): FastifyReply =>
    sendProblem(reply, 404, 'Unknown run', `GET /benchmarks/${name}/runs lists the runs.`);

  app.get('/benchmarks', async () => {
    const configured = runner.benchmarks.map(({ name }) => name);
    const pushed = store.names().filter((name) => !configured.includes(name));
    return [...configured, ...pushed].map((name) => {
      const file = find(name)?.file;
      return {
        name,
        scenario: file === undefined ? null : basename(file),
        lastRun: store.list(name, 2).find(({ endedAt }) => endedAt !== null) ?? null,
        running: runner.running(name) ?? null,
      };
    });
  });

  const bench = (action: string) => ({ config: { role: 'bench', action } }) as const;
  const schema = {
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { profile: { type: 'boolean' } },
    },
  };
  const start = { ...bench('benchmark.start'), schema };
  app.post<Named & { Body: { profile?: boolean } | null }>(
    '/benchmarks/:name/runs',
    start,
    async (request, reply) => {
      const benchmark = find(request.params.name);
      if (benchmark === undefined) return unknownBenchmark(reply, request.params.name);
      const outcome = runner.start(benchmark, request.body?.profile);
      const refusal = 'refused' in outcome ? outcome.refused : undefined;
      request.audited = { subject: benchmark.name, outcome: refusal ?? 'started' };
      if (refusal === 'load-off')
        return sendProblem(reply, 403, 'Load is off', 'Set `load.enabled` and reload the configuration.');
      if (refusal === 'no-profile')
        return sendProblem(
          reply,
          400,
          'No profile',
          'Give the benchmark a `profile` section that names its builds.',
        );
      if (!('run' in outcome)) {
        return sendProblem(
          reply,
          409,
          'Already running',
          `A run of ${benchmark.name} is under way: ${runner.running(benchmark.name)?.id ?? ''}. Wait for its end or DELETE it.`,
        );
      }
      const { run } = outcome;
      return reply.code(202).header('location', `/benchmarks/${run.benchmark}/runs/${run.id}`).send(run);
    },
  );

  app.get<Named & { Querystring: { limit?: string } }>('/benchmarks/:name/runs', async (request, reply) => {
    const { name } = request.params;
    if (find(name) === undefined && store.list(name, 1).length === 0) return unknownBenchmark(reply, name);
    const { limit = '100' } = request.query;
    if (!/^[1-9]\d{0,3}$/.test(limit)) {
      return sendProblem(
        reply,
        400,
        'Bad limit',
        `Expected \`limit\` to be a number from 1 to 9999, got ${JSON.stringify(limit)}.`,
      );
    }
    return store.list(name, Number(limit));
  });

  app.get<OneRun>('/benchmarks/:name/runs/:id', async (request, reply) => {
    const { name, id } = request.params;
    return store.get(name, id) ?? unknownRun(reply, name);
  });

  app.delete<OneRun>('/benchmarks/:name/runs/:id', bench('benchmark.cancel'), async (request, reply) => {
    const { name, id } = request.params;
    const run = store.get(name, id);
    if (run === undefined) return unknownRun(reply, name);
    if (!runner.cancel(name, id)) {
      return sendProblem(
        reply,
        409,
        'Not running',
        `The run ended as ${run.status}; there is nothing to cancel.`,
      );
    }
    request.audited = { subject: name, outcome: id };
    return reply.code(202).send(run);
  });

  app.delete('/benchmarks/runs', bench('benchmark.cancel'), async (request) => {
    const cancelled = runner.cancelAll();
    request.audited = { subject: 'all', outcome: String(cancelled) };
    return { cancelled };
  });

  app.get<OneRun>('/benchmarks/:name/runs/:id/events', async (request, reply) => {
    const { name, id } = request.params;
    const run = store.get(name, id);
    if (run === undefined) return unknownRun(reply, name);
    const stream = openEventStream(reply);
    const end = (ended: Run): void => {
      stream.send('end', ended);
      stream.close();
    };
    stream.send('run', run);
    const stop = runner.follow(name, id, {
      onBegin: (begun) => stream.send('run', begun),
      onProgress: (progress) => stream.send('progress', progress),
      onEnd: end,
    });
    if (stop === undefined) end(store.get(name, id) ?? run);
    else stream.onClose(stop);
    return reply;
  });
}
