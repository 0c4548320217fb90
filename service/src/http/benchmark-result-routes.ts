import { createHash, randomUUID } from 'node:crypto';
import { type BenchmarkResult, findHistoryChanges, renderReport } from '@weir/bench';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { artefactTypes, maxArtefactBytes } from '../benchmarks/artefact-types.ts';
import {
  type Comparison,
  compareRuns,
  comparisonDoubts,
  overallVerdict,
} from '../benchmarks/compare-runs.ts';
import { explainResult } from '../benchmarks/result-check.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import { sendProblem } from './answers.ts';

interface BenchmarkResultRoutesOptions {
  readonly runs: RunStore;
  readonly now: () => number;
}

const maxResultBytes = 4_194_304;
/** Names that only pushed results have; what is configured does not count. */
const maxNames = 1_000;
const benchmarkName = '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$';

type Named = { Params: { name: string } };
type OneRun = { Params: { name: string; id: string } };
type OneFile = { Params: { name: string; id: string; file: string } };

/** Results measured elsewhere, such as in CI, and the files kept with runs. */
export function addBenchmarkResultRoutes(
  app: FastifyInstance,
  { runs, now }: BenchmarkResultRoutesOptions,
): void {
  const bench = (action: string) => ({ role: 'bench', action }) as const;
  const unknownRun = (reply: FastifyReply): FastifyReply =>
    sendProblem(reply, 404, 'Unknown run', 'GET /benchmarks/:name/runs lists the runs.');

  const named = {
    params: { type: 'object', properties: { name: { type: 'string', pattern: benchmarkName } } },
  };
  app.post<Named & { Body: unknown }>(
    '/benchmarks/:name/results',
    { config: bench('benchmark.push'), bodyLimit: maxResultBytes, schema: named },
    async (request, reply) => {
      const { name } = request.params;
      const wrong = explainResult(request.body);
      if (wrong !== undefined) return sendProblem(reply, 400, 'No benchmark result', wrong);
      const id = runId(name, request.headers['idempotency-key']);
      const known = runs.get(name, id);
      const location = `/benchmarks/${name}/runs/${id}`;
      if (known !== undefined) request.audited = { subject: `${name} ${id}`, outcome: 'known' };
      if (known !== undefined) return reply.code(200).header('location', location).send(known);
      const names = runs.names();
      if (!names.includes(name) && names.length >= maxNames)
        return sendProblem(reply, 409, 'Too many benchmarks', `The history has ${maxNames} names already.`);
      const run = pushedRun(name, id, request.body as BenchmarkResult, now());
      runs.push(run);
      request.audited = { subject: `${name} ${id}`, outcome: 'taken' };
      return reply.code(201).header('location', location).send(run);
    },
  );

  app.get<OneRun>('/benchmarks/:name/runs/:id/artefacts', async (request, reply) => {
    const { name, id } = request.params;
    return runs.get(name, id) === undefined ? unknownRun(reply) : runs.artefacts(id);
  });

  app.get<OneFile>('/benchmarks/:name/runs/:id/artefacts/:file', async (request, reply) => {
    const { name, id, file } = request.params;
    const artefact = runs.get(name, id) === undefined ? undefined : runs.artefact(id, file);
    if (artefact === undefined)
      return sendProblem(reply, 404, 'Unknown artefact', 'The run names its files in `artefacts`.');
    // A document of its own: it may run no script and reach nothing of this origin.
    return reply
      .header(
        'content-security-policy',
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
      )
      .header('content-disposition', `inline; filename="${artefact.name}"`)
      .type(artefact.type)
      .send(Buffer.from(artefact.data));
  });

  app.register((api, _options, done) => {
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
    api.put<OneFile & { Body: Buffer | undefined }>(
      '/benchmarks/:name/runs/:id/artefacts/:file',
      { config: bench('benchmark.artefact'), bodyLimit: maxArtefactBytes },
      async (request, reply) => {
        const { name, id, file } = request.params;
        const run = runs.get(name, id);
        if (run === undefined) return unknownRun(reply);
        if (run.endedAt === null)
          return sendProblem(reply, 409, 'Not over', 'Files are added to runs that have ended.');
        const type = Object.hasOwn(artefactTypes, file) ? artefactTypes[file] : undefined;
        if (type === undefined || request.body === undefined)
          return sendProblem(
            reply,
            400,
            'No such artefact',
            `Send one of ${Object.keys(artefactTypes).join(', ')} with its content as the body.`,
          );
        runs.addArtefact(id, { name: file, type, data: request.body });
        request.audited = { outcome: 'taken' };
        return reply.code(204).send();
      },
    );
    done();
  });
}

// The same key is the same run, so that a repeated request is one.
function runId(name: string, key: string | string[] | undefined): string {
  if (key === undefined) return randomUUID();
  const hash = createHash('sha256')
    .update(JSON.stringify([name, key]))
    .digest('hex');
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

function pushedRun(benchmark: string, id: string, result: BenchmarkResult, nowMs: number): Run {
  const startedMs = Date.parse(result.startedAt);
  return {
    id,
    benchmark,
    status: 'finished',
    origin: 'pushed',
    startedAt: new Date(startedMs).toISOString(),
    endedAt: new Date(Math.min(nowMs, startedMs + result.durationMs)).toISOString(),
    result,
    error: null,
    artefacts: [],
  };
}

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
