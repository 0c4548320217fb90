import { findHistoryChanges, type HistoryChange, renderReport } from '@weir/bench';
import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  type Comparison,
  compareRuns,
  comparisonDoubts,
  overallVerdict,
} from '../benchmarks/compare-runs.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import { sendProblem } from './answers.ts';
import { runParameters } from './benchmark-routes.ts';
import { content, json, objectSchema, pathParameters, problem, type Schema } from './describe-routes.ts';

const verdict = { enum: ['better', 'worse', 'within noise', 'unknown'] };

const comparisonSchema = objectSchema<Comparison>({
  base: { $ref: 'Run#' },
  head: { $ref: 'Run#' },
  metrics: {
    type: 'array',
    items: objectSchema<Comparison['metrics'][number]>({
      metric: { type: 'string' },
      base: { type: 'number' },
      head: { type: 'number' },
      change: { type: ['number', 'null'], description: '`head / base − 1`; null where base is 0' },
      noise: {
        type: ['number', 'null'],
        description: 'Change that a run of the same build may show by chance; null with too little history',
      },
      verdict,
    }),
  },
  verdict: { enum: [...verdict.enum, 'mixed'] },
  doubts: { type: 'array', items: { type: 'string' }, description: 'Why the runs may not be comparable' },
});

const changeSchema = objectSchema<HistoryChange>(
  {
    metric: { enum: ['perSecond', 'p50', 'p99'] },
    worse: { type: 'boolean' },
    startedAt: {
      type: 'string',
      format: 'date-time',
      description: 'Start of the first run after the change',
    },
    commit: { type: 'string', description: 'Commit of this run' },
    previousCommit: { type: 'string', description: 'Commit of the run before it' },
    index: { type: 'integer', description: 'Place of this run in the history, from 0' },
    before: { type: 'number', description: 'Median before the change' },
    after: { type: 'number', description: 'Median after the change' },
    change: { type: 'number', description: '`after / before − 1`' },
    p: { type: 'number', description: 'Of the permutation test' },
  },
  ['commit', 'previousCommit'],
);

const historyLength = 200;

/** What is read from finished runs: a report of one, the comparison of two, the change points of all. */
export function addBenchmarkHistoryRoutes(app: FastifyInstance, store: RunStore): void {
  const tags = ['Benchmarks'];
  const read = { role: 'read' } as const;
  const report = {
    config: read,
    schema: {
      tags,
      summary: 'Get the report of a run',
      params: runParameters,
      response: {
        200: content('The report', 'text/html', { type: 'string' }),
        404: problem('The run is unknown or has no result'),
      },
    },
  };
  app.get<{ Params: { name: string; id: string } }>(
    '/benchmarks/:name/runs/:id/report',
    report,
    async (request, reply) => {
      const { name, id } = request.params;
      const result = store.get(name, id)?.result;
      if (result === undefined || result === null)
        return sendProblem(reply, 404, 'No report', 'The run is unknown or has no result.');
      // The report is a document of its own: styles within, no script from elsewhere, no access to this origin.
      return reply
        .header(
          'content-security-policy',
          "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
        )
        .type('text/html; charset=utf-8')
        .send(renderReport({ kind: 'run', result }, 'html'));
    },
  );

  const compare = (reply: FastifyReply, before: Run | undefined, after: Run | undefined) => {
    if (before?.result == null || after?.result == null)
      return sendProblem(
        reply,
        404,
        'Nothing to compare',
        'Name two runs with results as `base` and `head`.',
      );
    const others = store
      .list(before.benchmark, historyLength)
      .filter(({ id }) => id !== before.id && id !== after.id);
    const metrics = compareRuns(before.result, after.result, others);
    const answer: Comparison = {
      base: before,
      head: after,
      metrics,
      verdict: overallVerdict(metrics),
      doubts: comparisonDoubts(before.result, after.result),
    };
    return answer;
  };
  const comparing = (summary: string, params?: Schema) => ({
    config: read,
    schema: {
      tags,
      summary,
      ...(params === undefined ? {} : { params }),
      querystring: {
        type: 'object',
        required: ['base', 'head'],
        properties: {
          base: { type: 'string', description: 'Id of the run before' },
          head: { type: 'string', description: 'Id of the run after' },
        },
      },
      response: {
        200: json('Their figures with verdicts', comparisonSchema),
        404: problem('A run is unknown or has no result'),
      },
    },
  });
  app.get<{ Querystring: { base?: string; head?: string } }>(
    '/benchmarks/comparison',
    comparing('Compare any two runs'),
    async ({ query: { base = '', head = '' } }, reply) => compare(reply, store.find(base), store.find(head)),
  );
  app.get<{ Params: { name: string }; Querystring: { base?: string; head?: string } }>(
    '/benchmarks/:name/comparison',
    comparing('Compare two runs of a benchmark', pathParameters({ name: 'Name of the benchmark' })),
    async ({ params: { name }, query: { base = '', head = '' } }, reply) =>
      compare(reply, store.get(name, base), store.get(name, head)),
  );

  const changes = {
    config: read,
    schema: {
      tags,
      summary: 'List the lasting changes in the history of a benchmark',
      params: pathParameters({ name: 'Name of the benchmark' }),
      response: {
        200: json(`The changes among the newest ${historyLength} runs`, {
          type: 'array',
          items: changeSchema,
        }),
      },
    },
  };
  app.get<{ Params: { name: string } }>('/benchmarks/:name/changes', changes, async (request) => {
    const results = store
      .list(request.params.name, historyLength)
      .reverse()
      .flatMap(({ result }) => result ?? []);
    return findHistoryChanges(results);
  });
}
