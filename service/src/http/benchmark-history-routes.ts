import { findHistoryChanges, renderReport } from '@weir/bench';
import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  type Comparison,
  compareRuns,
  comparisonDoubts,
  overallVerdict,
} from '../benchmarks/compare-runs.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import { sendProblem } from './problem.ts';

const historyLength = 200;

/** What is read from finished runs: a report of one, the comparison of two, the change points of all. */
export function addBenchmarkHistoryRoutes(app: FastifyInstance, store: RunStore): void {
  app.get<{ Params: { name: string; id: string } }>(
    '/benchmarks/:name/runs/:id/report',
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
  app.get<{ Querystring: { base?: string; head?: string } }>(
    '/benchmarks/comparison',
    async ({ query: { base = '', head = '' } }, reply) => compare(reply, store.find(base), store.find(head)),
  );
  app.get<{ Params: { name: string }; Querystring: { base?: string; head?: string } }>(
    '/benchmarks/:name/comparison',
    async ({ params: { name }, query: { base = '', head = '' } }, reply) =>
      compare(reply, store.get(name, base), store.get(name, head)),
  );

  app.get<{ Params: { name: string } }>('/benchmarks/:name/changes', async (request) => {
    const results = store
      .list(request.params.name, historyLength)
      .reverse()
      .flatMap(({ result }) => result ?? []);
    return findHistoryChanges(results);
  });
}
