import { createHash, randomUUID } from 'node:crypto';
import type { BenchmarkResult } from '@weir/bench';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { artefactTypes, maxArtefactBytes } from '../benchmarks/artefacts.ts';
import { explainResult, type Run, type RunStore } from '../benchmarks/run-store.ts';
import { sendProblem } from './answers.ts';
import { runParameters } from './benchmark-routes.ts';
import { empty, json, objectSchema, pathParameters, problem, withLocation } from './describe-routes.ts';

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

/** A file kept with a run, as the list of them names it. */
export type ArtefactEntry = ReturnType<RunStore['artefacts']>[number];

const artefactSchema = objectSchema<ArtefactEntry>({
  name: { type: 'string' },
  type: { type: 'string', description: 'Media type' },
  bytes: { type: 'integer' },
});

const artefactContent = Object.fromEntries(
  [...new Set(Object.values(artefactTypes))].map((type) => [type, { schema: {} }]),
);

const fileParameters = pathParameters({
  name: 'Name of the benchmark',
  id: 'Id of the run',
  file: `One of ${Object.keys(artefactTypes).join(', ')}`,
});

/** Results measured elsewhere, such as in CI, and the files kept with runs. */
export function addBenchmarkResultRoutes(
  app: FastifyInstance,
  { runs, now }: BenchmarkResultRoutesOptions,
): void {
  const tags = ['Benchmarks'];
  const read = { role: 'read' } as const;
  const bench = (action: string) => ({ role: 'bench', action }) as const;
  const aRun = { $ref: 'Run#' };
  const unknownRun = (reply: FastifyReply): FastifyReply =>
    sendProblem(reply, 404, 'Unknown run', 'GET /benchmarks/:name/runs lists the runs.');

  const push = {
    config: bench('benchmark.push'),
    bodyLimit: maxResultBytes,
    schema: {
      tags,
      summary: 'Add a result that was measured elsewhere to the history',
      params: pathParameters({ name: 'Name of the benchmark' }, benchmarkName),
      headers: {
        type: 'object',
        properties: {
          'Idempotency-Key': { type: 'string', description: 'Requests with the same key add one run' },
        },
      },
      body: {
        content: {
          'application/json': {
            schema: { type: 'object', description: 'As in `@weir/bench/schema/result.schema.json`' },
          },
        },
      },
      response: {
        200: withLocation(json('The run that was added with this key before', aRun)),
        201: withLocation(json('The new run', aRun)),
        400: problem('The body is no benchmark result'),
        409: problem(`The history has ${maxNames} benchmarks already`),
      },
    },
  };
  app.post<Named & { Body: unknown }>('/benchmarks/:name/results', push, async (request, reply) => {
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
    request.audited = { subject: `${name} ${id}`, outcome: 'accepted' };
    return reply.code(201).header('location', location).send(run);
  });

  const listing = {
    config: read,
    schema: {
      tags,
      summary: 'List the files kept with a run',
      params: runParameters,
      response: {
        200: json('The files', { type: 'array', items: artefactSchema }),
        404: problem('The run is unknown'),
      },
    },
  };
  app.get<OneRun>('/benchmarks/:name/runs/:id/artefacts', listing, async (request, reply) => {
    const { name, id } = request.params;
    return runs.get(name, id) === undefined ? unknownRun(reply) : runs.artefacts(id);
  });

  const oneFile = {
    config: read,
    schema: {
      tags,
      summary: 'Get a file kept with a run',
      params: fileParameters,
      response: {
        200: { description: 'The file', content: artefactContent },
        404: problem('The run or the file is unknown'),
      },
    },
  };
  app.get<OneFile>('/benchmarks/:name/runs/:id/artefacts/:file', oneFile, async (request, reply) => {
    const { name, id, file } = request.params;
    const artefact = runs.get(name, id) === undefined ? undefined : runs.artefact(id, file);
    if (artefact === undefined)
      return sendProblem(reply, 404, 'Unknown artefact', 'The run names its files in `artefacts`.');
    // Sandboxed: the file may run no script and reach nothing of this origin.
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
    const keep = {
      config: bench('benchmark.artefact'),
      bodyLimit: maxArtefactBytes,
      schema: {
        tags,
        summary: 'Keep a file with a run that has ended',
        params: fileParameters,
        body: { content: artefactContent },
        response: {
          204: empty('The file is kept'),
          400: problem('The name is none of the known ones, or the body is missing'),
          404: problem('The run is unknown'),
          409: problem('The run has not ended'),
        },
      },
    };
    api.put<OneFile & { Body: Buffer | undefined }>(
      '/benchmarks/:name/runs/:id/artefacts/:file',
      keep,
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
        request.audited = { outcome: 'accepted' };
        return reply.code(204).send();
      },
    );
    done();
  });
}

// The id follows from the key, so that a repeated request adds no second run.
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
