import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import type { PushedJobs } from '../exchange/pushed-jobs.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import { sendProblem } from './answers.ts';
import { empty, pathParameters, problem } from './describe-routes.ts';

interface PushRoutesOptions {
  readonly engine: EngineClient;
  readonly pushed: PushedJobs;
  readonly config: () => Config;
  readonly now: () => number;
  /** Whether the service knows the series that it writes itself. Pushes are refused before. */
  readonly isStarted: () => boolean;
}

/** Regular expression of the names of jobs and instances. */
export const jobName: string = '^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,199}$';

/** OTLP/HTTP and the push for short-lived jobs. */
export function addPushRoutes(app: FastifyInstance, options: PushRoutesOptions): void {
  app.register((api, _options, done) => {
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', (request, payload, parsed) => {
      const { maxBodyBytes } = options.config().scrape;
      const stream = request.headers['content-encoding'] === 'gzip' ? payload.pipe(createGunzip()) : payload;
      readBounded(stream, maxBodyBytes).then(
        (body) => parsed(null, body),
        (thrown: unknown) => parsed(thrown as Error),
      );
    });
    api.addHook('preParsing', async (_request, reply) => {
      if (!options.config().push.enabled)
        return void sendProblem(reply, 403, 'Push is off', 'Set `push.enabled`.');
      if (!options.isStarted())
        return void sendProblem(reply, 503, 'Not ready', 'The service is starting. Push again in a moment.');
      return undefined;
    });
    api.setErrorHandler((error, _request, reply) => {
      const status =
        error instanceof ServiceError ? (error.code === 'ERR_WEIR_SERVICE_PUSH' ? 400 : 503) : 400;
      return sendProblem(reply, status, status === 503 ? 'Not stored' : 'Bad push', messageOf(error));
    });
    addOtlp(api, options);
    addJobs(api, options);
    done();
  });
}

function addOtlp(api: FastifyInstance, { engine, config, now }: PushRoutesOptions): void {
  const message = { type: 'object', description: 'ExportMetricsServiceRequest' };
  const answer = { type: 'object', description: 'ExportMetricsServiceResponse' };
  const schema = {
    tags: ['Push'],
    summary: 'Push metrics by OTLP',
    body: {
      content: {
        'application/x-protobuf': { schema: { description: message.description } },
        'application/json': { schema: message },
      },
    },
    response: {
      200: {
        description: 'The samples are durable; `partialSuccess` counts those that were rejected',
        content: {
          'application/x-protobuf': { schema: { description: answer.description } },
          'application/json': { schema: answer },
        },
      },
      400: problem('The body is no export request or too large; nothing is kept'),
      403: problem('`push.enabled` is not set'),
      415: problem('The body is neither protobuf nor JSON'),
      503: problem('The service is starting, or the store refuses'),
    },
  };
  for (const url of ['/v1/metrics', '/api/v1/otlp/v1/metrics'])
    api.post(url, { config: { role: 'push', action: 'otlp' }, schema }, async (request, reply) => {
      const type = request.headers['content-type']?.split(';')[0]?.trim();
      if (type !== 'application/x-protobuf' && type !== 'application/json')
        return sendProblem(
          reply,
          415,
          'Unknown encoding',
          'Send application/x-protobuf or application/json.',
        );
      const outcome = await engine.call('otlp', {
        body: request.body as Uint8Array,
        encoding: type === 'application/json' ? 'json' : 'protobuf',
        timeMs: now(),
        limits: config().scrape,
      });
      const { accepted, rejected, message, jobs } = outcome;
      request.audited = {
        subject: jobs.join(', '),
        outcome: rejected === 0 ? 'accepted' : `${accepted} samples accepted, ${rejected} rejected`,
      };
      if (type === 'application/json')
        return rejected === 0
          ? {}
          : { partialSuccess: { rejectedDataPoints: String(rejected), errorMessage: message } };
      return reply.type(type).send(rejected === 0 ? Buffer.alloc(0) : partialSuccess(rejected, message));
    });
}

function addJobs(api: FastifyInstance, { pushed }: PushRoutesOptions): void {
  const job = 'Name of the job';
  const instance = 'Name of the instance';
  const exposition = { type: ['string', 'null'] };
  const common = {
    403: problem('`push.enabled` is not set'),
    503: problem('The service is starting, or the store refuses'),
  };
  const one = { url: '/push/:job', params: pathParameters({ job }, jobName), what: 'job' };
  const ofInstance = {
    url: '/push/:job/:instance',
    params: pathParameters({ job, instance }, jobName),
    what: 'instance of a job',
  };
  for (const { url, params, what } of [one, ofInstance]) {
    const push = {
      tags: ['Push'],
      summary: what === 'job' ? 'Push metrics of a short-lived job' : 'Push metrics of one instance of a job',
      params,
      body: {
        content: {
          'text/plain': { schema: exposition },
          'application/openmetrics-text': { schema: exposition },
        },
      },
      response: {
        204: empty('The samples are durable and replace those of the push before'),
        400: problem('The body is no exposition, too large, or has a refused time; nothing is kept'),
        ...common,
      },
    };
    const remove = {
      tags: ['Push'],
      summary: `Delete a pushed ${what}`,
      params,
      response: {
        204: empty('Its series have ended'),
        400: problem('The name is malformed'),
        404: problem('No pushed series have this name'),
        ...common,
      },
    };
    api.route<{ Params: { job: string; instance?: string } }>({
      method: ['POST', 'PUT'],
      url,
      schema: push,
      config: { role: 'push', action: 'push' },
      handler: async (request, reply) => {
        const { job, instance = '' } = request.params;
        const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
        await pushed.push(job, instance, body, request.headers['content-type']);
        request.audited = { subject: subjectOf(request.params), outcome: 'accepted' };
        return reply.code(204).send();
      },
    });
    api.delete<{ Params: { job: string; instance?: string } }>(
      url,
      { schema: remove, config: { role: 'push', action: 'push.delete' } },
      async (request, reply) => {
        const { job, instance = '' } = request.params;
        const found = await pushed.delete(job, instance);
        request.audited = {
          subject: subjectOf(request.params),
          outcome: found ? 'deleted' : 'unknown',
        };
        return found
          ? reply.code(204).send()
          : sendProblem(reply, 404, 'Unknown job', 'Nothing of it is shown.');
      },
    );
  }
}

function subjectOf({ job, instance }: { readonly job: string; readonly instance?: string }): string {
  return instance === undefined ? job : `${job}/${instance}`;
}

async function readBounded(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let total = 0;
  // Destroying the request would close the connection before the answer.
  for await (const part of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > maxBytes)
      throw new ServiceError(
        'ERR_WEIR_SERVICE_PUSH',
        `the body is longer than ${maxBytes} bytes (\`scrape.maxBodyBytes\`)`,
      );
    parts.push(part);
  }
  const body = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

// ExportMetricsServiceResponse { partial_success = 1 { rejected_data_points = 1, error_message = 2 } }
function partialSuccess(rejected: number, message: string): Buffer {
  const text = Buffer.from(message);
  const inner = Buffer.concat([
    Buffer.from([8]),
    varint(rejected),
    Buffer.from([18]),
    varint(text.length),
    text,
  ]);
  return Buffer.concat([Buffer.from([10]), varint(inner.length), inner]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
