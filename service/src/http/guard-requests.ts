import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AuditLog } from '../auth/audit-log.ts';
import { allows, findToken, type Role, tokenOf } from '../auth/tokens.ts';
import type { Config } from '../config/config.ts';
import { sendProblem } from './answers.ts';

/** The role that a route requires of the token; `public` for routes that answer everyone. */
export type RouteRole = Role | 'public';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** @defaultValue `read` */
    role?: RouteRole;
    /** Name of the change in the audit log, such as `push`. Every route that changes something has one. */
    action?: string;
  }
  interface FastifyRequest {
    /** Name of the token that was used, `anonymous`, or `local` where no tokens are configured. For the audit log. */
    caller: string;
    /** Subject and outcome of the audit line, as the handler knows them. `null` leaves the line out: nothing was changed. */
    audited: { readonly subject?: string; readonly outcome?: string } | null | undefined;
  }
}

/**
 * Refuses requests whose token lacks the role of their route; an unknown route requires `read`. Without configured tokens
 * everyone may do everything, and the service therefore listens on loopback only. Pages of other sites still reach it through a
 * browser. So the host must be one of the service's names (DNS rebinding), and a change must come from the service's own origin
 * (CSRF).
 */
export function guardRequests(app: FastifyInstance, config: () => Config): void {
  app.decorateRequest('caller', 'local');
  app.addHook('onRequest', async (request, reply) => {
    const { auth, listen } = config();
    const required = request.routeOptions.config.role ?? 'read';
    const token = tokenOf(request.headers.authorization);
    const entry = token === undefined ? undefined : findToken(token, auth.tokens);
    if (auth.tokens.length > 0) request.caller = entry?.name ?? 'anonymous';
    const host = requestedHost(request);
    if (!isOwnHost(host, listen)) {
      return refuse(
        request,
        reply,
        421,
        'Unknown host',
        'Add the name to `listen.allowedHosts` to serve it.',
      );
    }
    if (isChange(request) && isCrossSite(request, host)) {
      return refuse(
        request,
        reply,
        403,
        'Cross-site request',
        'The service accepts changes from its own pages only.',
      );
    }
    if (auth.tokens.length === 0 || required === 'public') return undefined;
    const role = entry?.role ?? (token === undefined && auth.anonymous === 'read' ? 'read' : undefined);
    if (role === undefined) {
      reply.header('www-authenticate', 'Basic realm="Weir", charset="UTF-8"');
      return refuse(
        request,
        reply,
        401,
        'Token required',
        'Send a token of the configuration as Bearer, or as Basic password.',
      );
    }
    if (allows(role, required)) return undefined;
    return refuse(
      request,
      reply,
      403,
      'Role required',
      `The route requires the role \`${required}\`; this token has \`${role}\`.`,
    );
  });
}

/** Whether a request changes something or tries to: by any unsafe method, unless its route only reads. */
export function isChange(request: FastifyRequest): boolean {
  if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') return false;
  return request.is404 || (request.routeOptions.config.role ?? 'read') !== 'read';
}

const absoluteForm = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;

/**
 * The path and query of a request target. The absolute form, which clients send to proxies, names a host as well
 * (RFC 9112 section 3.2.2). Routes never see it.
 */
export function originForm(target: string): string {
  const path = target.replace(absoluteForm, '');
  return path.startsWith('/') ? path : `/${path}`;
}

// A host in the request target wins over the header (RFC 9112 section 3.2.2).
function requestedHost(request: FastifyRequest): string {
  return absoluteForm.exec(request.originalUrl)?.[1] ?? request.host;
}

function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  title: string,
  detail: string,
): FastifyReply {
  if (!request.url.startsWith('/api/v1/')) return sendProblem(reply, status, title, detail);
  const error = { status: 'error', errorType: 'unauthorized', error: `${title}: ${detail}` };
  return reply.code(status).type('application/json').send(JSON.stringify(error));
}

function isOwnHost(host: string, listen: Config['listen']): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  // An address cannot be rebound; only names can.
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return name === listen.host.toLowerCase() || listen.allowedHosts.includes(name);
}

function isCrossSite(request: FastifyRequest, host: string): boolean {
  // A Bearer token is never sent by a browser on its own.
  if (
    tokenOf(request.headers.authorization) !== undefined &&
    /^bearer/i.test(request.headers.authorization ?? '')
  )
    return false;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = request.headers;
  return origin !== undefined && URL.parse(origin)?.host !== host;
}

/**
 * Writes a line for every request that changes something or tries to, before the answer: also when the route, the role or the
 * body is wrong. Callers without a token leave no line, so that strangers cannot fill the log.
 */
export function auditChanges(app: FastifyInstance, audit: AuditLog): void {
  app.decorateRequest('audited', undefined);
  app.addHook('onSend', async (request, reply) => {
    const { audited, caller, ip } = request;
    if (audited === null || caller === 'anonymous' || !isChange(request)) return;
    audit.write({
      caller,
      address: ip,
      action: request.routeOptions.config.action ?? `${request.method} unknown`,
      subject: audited?.subject ?? subjectOf(request),
      outcome: audited?.outcome ?? outcomeOf(reply.statusCode),
    });
  });
}

function subjectOf(request: FastifyRequest): string {
  const parameters = request.is404 ? '' : Object.values(request.params as Record<string, string>).join(' ');
  // Without the query, which may hold secrets.
  return parameters || (request.url.split('?')[0] as string);
}

function outcomeOf(status: number): string {
  if (status < 400) return 'done';
  return status < 500 ? `refused (${status})` : `failed (${status})`;
}
