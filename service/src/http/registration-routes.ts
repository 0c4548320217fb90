import type { FastifyInstance, FastifyReply } from 'fastify';
import { readTarget } from '../config/build-config.ts';
import type { Config, TargetConfig } from '../config/config.ts';
import { parseDuration } from '../config/duration.ts';
import { messageOf } from '../errors.ts';
import type { TargetPool } from '../exchange/target-pool.ts';
import { type Registration, registrationId, type TargetRegistry } from '../exchange/target-registry.ts';
import { type ResolveOptions, resolveAllowed } from '../network/guarded-client.ts';
import { sendProblem } from './answers.ts';
import { empty, json, objectSchema, pathParameters, problem, withLocation } from './describe-routes.ts';
import { jobName } from './push-routes.ts';

interface RegistrationRoutesOptions {
  readonly registry: TargetRegistry;
  readonly targets: TargetPool;
  readonly config: () => Config;
  /** Counts registrations by their outcome. */
  readonly observeRegistration: (outcome: string) => void;
  readonly resolve?: ResolveOptions['resolve'];
}

interface Body {
  readonly job: string;
  readonly url: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ttl?: string;
}

const ttl = { type: 'string', maxLength: 40 };
const body = {
  type: 'object',
  required: ['job', 'url'],
  additionalProperties: false,
  properties: {
    job: { type: 'string', pattern: jobName },
    url: { type: 'string', maxLength: 2_048 },
    labels: {
      type: 'object',
      maxProperties: 32,
      propertyNames: { pattern: '^[a-zA-Z][a-zA-Z0-9_]*$' },
      additionalProperties: { type: 'string', maxLength: 1_024 },
    },
    ttl,
  },
};

const text = { type: 'string' };
const registrationSchema = {
  $id: 'Registration',
  description: 'A target that registered itself',
  ...objectSchema<Registration>({
    id: text,
    job: text,
    url: text,
    labels: { type: 'object', additionalProperties: text },
    expiresAt: { type: 'string', format: 'date-time', description: 'Unless it is renewed before' },
    registeredBy: { type: 'string', description: 'Name of the token' },
  }),
};

/** `/targets`: backends register the addresses at which the service scrapes them. */
export function addRegistrationRoutes(app: FastifyInstance, options: RegistrationRoutesOptions): void {
  const { registry, config } = options;
  const push = (action: string) => ({ role: 'push', action }) as const;
  const isOff = (reply: FastifyReply): FastifyReply | undefined =>
    config().registration.allow.isEmpty
      ? sendProblem(reply, 403, 'Registration is off', 'List the hosts in `registration.allow`.')
      : undefined;

  app.addSchema(registrationSchema);
  const tags = ['Targets'];
  const registration = { $ref: 'Registration#' };
  const off = problem('`registration.allow` names no hosts');
  const params = pathParameters({ id: 'Id of the registration' });
  const listing = {
    config: { role: 'read' },
    schema: {
      tags,
      summary: 'List the targets that registered themselves',
      response: { 200: json('The registrations', { type: 'array', items: registration }) },
    },
  } as const;
  app.get('/targets', listing, async () => registry.list());

  const register = {
    config: push('target.register'),
    schema: {
      tags,
      summary: 'Register a target, or renew its registration',
      body,
      response: {
        200: withLocation(json('The renewed registration', registration)),
        201: withLocation(json('The new registration', registration)),
        400: problem('The target is malformed'),
        403: problem('`registration.allow` names no hosts, or not this one'),
        409: problem('The service scrapes the target already, or `registration.maxTargets` is reached'),
      },
    },
  };
  app.post<{ Body: Body }>('/targets', register, async (request, reply) => {
    const off = isOff(reply);
    if (off !== undefined) return off;
    const refuse = (status: number, outcome: string, title: string, detail: string): FastifyReply => {
      options.observeRegistration(outcome);
      request.audited = { subject: `${request.body.job} ${hostForLog(request.body.url)}`, outcome };
      return sendProblem(reply, status, title, detail);
    };
    const ttlMs = readTtl(request.body.ttl, config().registration);
    if (typeof ttlMs === 'string') return refuse(400, 'malformed', 'Bad time to live', ttlMs);
    const mistakes: string[] = [];
    const target = readTarget(request.body, 'body', mistakes);
    if (target === undefined || mistakes.length > 0)
      return refuse(400, 'malformed', 'Bad target', mistakes.join(' '));
    if (target.url.username !== '' || target.url.password !== '' || target.url.hash !== '')
      return refuse(400, 'malformed', 'Bad target', 'The URL may hold neither credentials nor a fragment.');
    try {
      const { allow } = config().registration;
      const { resolve } = options;
      const setting = 'registration.allow';
      await resolveAllowed(target.url.href, {
        allow,
        setting,
        withLoopback: false,
        ...(resolve === undefined ? {} : { resolve }),
      });
    } catch (thrown) {
      return refuse(403, 'address', 'Address refused', messageOf(thrown));
    }
    if (clashes(target, options))
      return refuse(
        409,
        'taken',
        'Target is taken',
        'The service scrapes a target of this job, instance and labels already.',
      );
    const isKnown = registry.get(registrationId(target)) !== undefined;
    if (!isKnown && registry.size >= config().registration.maxTargets)
      return refuse(409, 'full', 'Too many targets', 'Delete some or raise `registration.maxTargets`.');
    const { entry, isNew } = registry.put(target, ttlMs, request.caller);
    options.observeRegistration(isNew ? 'registered' : 'renewed');
    // Renewals are left out of the audit log: they change nothing and come every minute.
    request.audited = isNew ? { subject: `${entry.job} ${target.url.host}`, outcome: 'registered' } : null;
    return reply
      .code(isNew ? 201 : 200)
      .header('location', `/targets/${entry.id}`)
      .send(entry);
  });

  const renew = {
    config: push('target.renew'),
    schema: {
      tags,
      summary: 'Renew a registration',
      params,
      body: {
        content: { 'application/json': { schema: { type: ['object', 'null'], properties: { ttl } } } },
      },
      response: {
        200: json('The renewed registration', registration),
        400: problem('`ttl` is no duration within the limits'),
        403: off,
        404: problem('The registration is unknown or has expired'),
      },
    },
  };
  app.put<{ Params: { id: string }; Body: { ttl?: string } | null }>(
    '/targets/:id',
    renew,
    async (request, reply) => {
      request.audited = null;
      const off = isOff(reply);
      if (off !== undefined) return off;
      const ttlMs = readTtl(request.body?.ttl, config().registration);
      if (typeof ttlMs === 'string') return sendProblem(reply, 400, 'Bad time to live', ttlMs);
      const entry: Registration | undefined = registry.renew(request.params.id, ttlMs);
      if (entry === undefined)
        return sendProblem(reply, 404, 'Unknown registration', 'It has expired; POST /targets again.');
      options.observeRegistration('renewed');
      return entry;
    },
  );

  const remove = {
    config: push('target.delete'),
    schema: {
      tags,
      summary: 'Delete a registration',
      params,
      response: {
        204: empty('The series of the target have ended'),
        404: problem('The registration is unknown'),
      },
    },
  };
  app.delete<{ Params: { id: string } }>('/targets/:id', remove, async (request, reply) => {
    const entry = registry.get(request.params.id);
    if (entry === undefined || !registry.delete(entry.id))
      return sendProblem(reply, 404, 'Unknown registration', 'GET /targets lists them.');
    request.audited = { subject: `${entry.job} ${new URL(entry.url).host}`, outcome: 'deleted' };
    return reply.code(204).send();
  });
}

/** Milliseconds, or what is wrong. */
function readTtl(text: unknown, { ttlMs, maxTtlMs }: Config['registration']): number | string {
  if (text === undefined) return ttlMs;
  const ms = typeof text === 'string' ? parseDuration(text) : undefined;
  if (ms !== undefined && ms >= 1_000 && ms <= maxTtlMs) return ms;
  return `Expected \`ttl\` to be a duration such as "2m", from 1s to \`registration.maxTtl\` (${maxTtlMs / 1000}s).`;
}

// Whether the service scrapes the target already, other than for an equal registration.
function clashes(target: TargetConfig, { registry, targets }: RegistrationRoutesOptions): boolean {
  const id = registrationId(target);
  const key = seriesKey(target.job, target.url.host, target.labels);
  return targets.states.some(({ job, url, labels }) => {
    const { job: _, instance, ...own } = labels;
    if (seriesKey(job, instance ?? '', own) !== key) return false;
    return registry.get(id) === undefined || registrationId({ job, url: new URL(url), labels: own }) !== id;
  });
}

function seriesKey(job: string, instance: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([job, instance, Object.entries(labels).sort()]);
}

function hostForLog(url: string): string {
  return URL.parse(url)?.host ?? 'no URL';
}
