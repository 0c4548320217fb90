import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditLog } from './audit-log.ts';
import { isChange } from './guard-requests.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the audit log calls the change, such as `push`. Every route that changes something has one. */
    action?: string;
  }
  interface FastifyRequest {
    /** What the handler knows better than its route. `null` leaves the line out: the request changed nothing. */
    audited: { readonly subject?: string; readonly outcome?: string } | null | undefined;
  }
}

/**
 * Writes a line for every request that changes something, or tries to, before it is answered: also where the route, the
 * role or the body was wrong. Callers without a token leave none, so that strangers cannot fill the log.
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
