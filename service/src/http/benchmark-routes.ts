import type { FastifyInstance, FastifyReply } from 'fastify';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import type { BenchmarkConfig } from '../config/config.ts';
import { openEventStream } from './event-stream.ts';
import { sendProblem } from './problem.ts';

type Named = { Params: { name: string } };
type OneRun = { Params: { name: string; id: string } };

/** `/benchmarks`: the list, runs on demand, their history and live progress. */
export function addBenchmarkRoutes(app: FastifyInstance, runner: BenchmarkRunner, store: RunStore): void {
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

  app.get('/benchmarks', async () =>
    runner.benchmarks.map(({ name, file }) => ({
      name,
      scenario: file,
      lastRun: store.list(name, 2).find(({ status }) => status !== 'running') ?? null,
      running: runner.running(name) ?? null,
    })),
  );

  app.post<Named>('/benchmarks/:name/runs', async (request, reply) => {
    const benchmark = find(request.params.name);
    if (benchmark === undefined) return unknownBenchmark(reply, request.params.name);
    const run = runner.start(benchmark);
    if (run === undefined) {
      return sendProblem(
        reply,
        409,
        'Already running',
        `A run of ${benchmark.name} is under way: ${runner.running(benchmark.name)?.id ?? ''}. Wait for its end or DELETE it.`,
      );
    }
    return reply.code(202).header('location', `/benchmarks/${run.benchmark}/runs/${run.id}`).send(run);
  });

  app.get<Named & { Querystring: { limit?: string } }>('/benchmarks/:name/runs', async (request, reply) => {
    if (find(request.params.name) === undefined) return unknownBenchmark(reply, request.params.name);
    const { limit = '100' } = request.query;
    if (!/^[1-9]\d{0,3}$/.test(limit)) {
      return sendProblem(
        reply,
        400,
        'Bad limit',
        `Expected \`limit\` to be a number from 1 to 9999, got ${JSON.stringify(limit)}.`,
      );
    }
    return store.list(request.params.name, Number(limit));
  });

  app.get<OneRun>('/benchmarks/:name/runs/:id', async (request, reply) => {
    const { name, id } = request.params;
    return store.get(name, id) ?? unknownRun(reply, name);
  });

  app.delete<OneRun>('/benchmarks/:name/runs/:id', async (request, reply) => {
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
    return reply.code(202).send(run);
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
    const stop = runner.follow(name, id, {
      onProgress: (progress) => stream.send('progress', progress),
      onEnd: end,
    });
    if (stop === undefined) end(store.get(name, id) ?? run);
    else stream.onClose(stop);
    return reply;
  });
}
