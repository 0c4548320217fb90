import { basename } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import type { BenchmarkConfig } from '../config/config.ts';
import { openEventStream, sendProblem } from './answers.ts';
import {
  content,
  json,
  objectSchema,
  pathParameters,
  problem,
  type Schema,
  withLocation,
} from './describe-routes.ts';

type Named = { Params: { name: string } };
type OneRun = { Params: { name: string; id: string } };

interface BenchmarkRoutesOptions {
  readonly runner: BenchmarkRunner;
  readonly runs: RunStore;
}

/** A benchmark in the list: its last run that ended, and the one under way. */
export interface BenchmarkEntry {
  readonly name: string;
  /** Name of the scenario's file; `null` when all results come from elsewhere. */
  readonly scenario: string | null;
  readonly lastRun: Run | null;
  readonly running: Run | null;
}

const runSchema = {
  $id: 'Run',
  description: 'A run of a benchmark',
  ...objectSchema<Run>({
    id: { type: 'string' },
    benchmark: { type: 'string' },
    status: { enum: ['queued', 'running', 'finished', 'failed', 'cancelled'] },
    origin: { enum: ['service', 'pushed'], description: '`pushed` if the result was measured elsewhere' },
    startedAt: { type: 'string', format: 'date-time' },
    endedAt: { type: ['string', 'null'], format: 'date-time' },
    result: { type: ['object', 'null'], description: 'As in `@weir/bench/schema/result.schema.json`' },
    error: { type: ['string', 'null'] },
    artefacts: {
      type: 'array',
      items: { type: 'string' },
      description: 'Names of the files kept with the run',
    },
  }),
};

const aRun = { $ref: 'Run#' };
const maybeRun = { oneOf: [aRun, { type: 'null' }] };

const entrySchema = objectSchema<BenchmarkEntry>({
  name: { type: 'string' },
  scenario: { type: ['string', 'null'], description: 'Null when all results come from elsewhere' },
  lastRun: maybeRun,
  running: maybeRun,
});

/** The path of one run. */
export const runParameters: Schema = pathParameters({ name: 'Name of the benchmark', id: 'Id of the run' });

const named = pathParameters({ name: 'Name of the benchmark' });
const tags = ['Benchmarks'];
const read = { role: 'read' } as const;
const bench = (action: string) => ({ role: 'bench', action }) as const;

/** `/benchmarks`: the list of benchmarks, and their runs: start, cancel, read, follow. */
export function addBenchmarkRoutes(app: FastifyInstance, options: BenchmarkRoutesOptions): void {
  app.addSchema(runSchema);
  addControlRoutes(app, options);
  addRunRoutes(app, options);
}

function addControlRoutes(app: FastifyInstance, { runner, runs: store }: BenchmarkRoutesOptions): void {
  const listing = {
    config: read,
    schema: {
      tags,
      summary: 'List benchmarks with their last run',
      response: {
        200: json('The configured benchmarks, then those with pushed results', {
          type: 'array',
          items: entrySchema,
        }),
      },
    },
  };
  app.get('/benchmarks', listing, async (): Promise<BenchmarkEntry[]> => {
    const configured = runner.benchmarks.map(({ name }) => name);
    const pushed = store.names().filter((name) => !configured.includes(name));
    return [...configured, ...pushed].map((name) => {
      const file = findBenchmark(runner, name)?.file;
      return {
        name,
        scenario: file === undefined ? null : basename(file),
        lastRun: store.list(name, 2).find(({ endedAt }) => endedAt !== null) ?? null,
        running: runner.running(name) ?? null,
      };
    });
  });

  const start = {
    config: bench('benchmark.start'),
    schema: {
      tags,
      summary: 'Start a run, or queue it behind the run of another benchmark',
      params: named,
      body: {
        type: ['object', 'null'],
        additionalProperties: false,
        properties: { profile: { type: 'boolean', description: 'Profile the builds after the run' } },
      },
      response: {
        202: withLocation(json('The run', aRun)),
        400: problem('The body is malformed, or the benchmark names no builds to profile'),
        403: problem('`load.enabled` is not set'),
        404: problem('The benchmark is unknown'),
        409: problem('A run of the benchmark is under way'),
      },
    },
  };
  app.post<Named & { Body: { profile?: boolean } | null }>(
    '/benchmarks/:name/runs',
    start,
    async (request, reply) => {
      const benchmark = findBenchmark(runner, request.params.name);
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

  const cancel = {
    config: bench('benchmark.cancel'),
    schema: {
      tags,
      summary: 'Cancel a run',
      params: runParameters,
      response: {
        202: json('The run as it was', aRun),
        404: problem('The run is unknown'),
        409: problem('The run has ended'),
      },
    },
  };
  app.delete<OneRun>('/benchmarks/:name/runs/:id', cancel, async (request, reply) => {
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

  const cancelAll = {
    config: bench('benchmark.cancel'),
    schema: {
      tags,
      summary: 'Cancel every run',
      response: {
        200: json(
          'How many runs were cancelled',
          objectSchema<{ cancelled: number }>({ cancelled: { type: 'integer' } }),
        ),
      },
    },
  };
  app.delete('/benchmarks/runs', cancelAll, async (request) => {
    const cancelled = runner.cancelAll();
    request.audited = { subject: 'all', outcome: String(cancelled) };
    return { cancelled };
  });
}

function addRunRoutes(app: FastifyInstance, { runner, runs: store }: BenchmarkRoutesOptions): void {
  const runs = {
    config: read,
    schema: {
      tags,
      summary: 'List the runs of a benchmark, newest first',
      params: named,
      querystring: {
        type: 'object',
        properties: {
          limit: {
            type: 'integer',
            minimum: 1,
            maximum: 9_999,
            default: 100,
            description: 'Most runs to list',
          },
        },
      },
      response: {
        200: json('The runs', { type: 'array', items: aRun }),
        400: problem('`limit` is no number from 1 to 9999'),
        404: problem('The benchmark is unknown'),
      },
    },
  };
  app.get<Named & { Querystring: { limit?: string } }>(
    '/benchmarks/:name/runs',
    runs,
    async (request, reply) => {
      const { name } = request.params;
      if (findBenchmark(runner, name) === undefined && store.list(name, 1).length === 0)
        return unknownBenchmark(reply, name);
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
    },
  );

  const oneRun = {
    config: read,
    schema: {
      tags,
      summary: 'Get a run',
      params: runParameters,
      response: { 200: json('The run', aRun), 404: problem('The run is unknown') },
    },
  };
  app.get<OneRun>('/benchmarks/:name/runs/:id', oneRun, async (request, reply) => {
    const { name, id } = request.params;
    return store.get(name, id) ?? unknownRun(reply, name);
  });

  const events = {
    config: read,
    schema: {
      tags,
      summary: 'Follow a run as server-sent events',
      params: runParameters,
      response: {
        200: content(
          '`run` when the run is queued or begins, `progress` about twice a second, then one `end`',
          'text/event-stream',
          { type: 'string' },
        ),
        404: problem('The run is unknown'),
      },
    },
  };
  app.get<OneRun>('/benchmarks/:name/runs/:id/events', events, async (request, reply) => {
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

function findBenchmark(runner: BenchmarkRunner, name: string): BenchmarkConfig | undefined {
  return runner.benchmarks.find((benchmark) => benchmark.name === name);
}

function unknownBenchmark(reply: FastifyReply, name: string): FastifyReply {
  const detail = `No benchmark is named ${JSON.stringify(name)}. GET /benchmarks lists them.`;
  return sendProblem(reply, 404, 'Unknown benchmark', detail);
}

function unknownRun(reply: FastifyReply, name: string): FastifyReply {
  return sendProblem(reply, 404, 'Unknown run', `GET /benchmarks/${name}/runs lists the runs.`);
}
