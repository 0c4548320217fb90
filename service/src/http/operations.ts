import type { Role } from '../auth/tokens.ts';

/** One route of the service's own. */
export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly role: Role | 'public';
  /** By status; 400, 401 and 403 are added where they apply. */
  readonly answers: Readonly<Record<number, string>>;
}

const run = '/benchmarks/{name}/runs/{id}';
const pushed = {
  204: 'Taken and durable',
  400: 'Wrong exposition or a refused time; the reason. Nothing is kept',
};
const removed = { 204: 'Its series have ended', 404: 'Nothing of the job is shown' };

/** The service's own routes. `/api/v1/*` is Prometheus' HTTP API and documented there. */
export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    summary: 'Whether the process answers',
    role: 'public',
    answers: { 200: 'It does' },
  },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether the store is open',
    role: 'public',
    answers: { 200: 'Open', 503: 'Not yet' },
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'The service’s own metrics',
    role: 'read',
    answers: { 200: 'Text format 0.0.4' },
  },
  {
    method: 'get',
    path: '/dashboards',
    summary: 'Dashboards by uid',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'get',
    path: '/dashboards/{uid}',
    summary: 'A dashboard as Grafana imports it',
    role: 'read',
    answers: { 200: 'Grafana JSON', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: '/page-settings',
    summary: 'What the configuration tells the web page',
    role: 'read',
    answers: { 200: '`{ traceUrl }`, null where none is configured' },
  },
  {
    method: 'get',
    path: '/sd/targets',
    summary: 'The scraped targets for Prometheus’ http_sd',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'get',
    path: '/targets',
    summary: 'Targets that registered themselves',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'post',
    path: '/targets',
    summary: 'Register a target, or renew it',
    role: 'push',
    answers: {
      200: 'The registration, renewed',
      201: 'The registration',
      400: 'What is wrong with it',
      409: 'It is scraped already, or there are too many',
    },
  },
  {
    method: 'put',
    path: '/targets/{id}',
    summary: 'Renew a registration',
    role: 'push',
    answers: { 200: 'The registration', 404: 'It has expired' },
  },
  {
    method: 'delete',
    path: '/targets/{id}',
    summary: 'End a registration',
    role: 'push',
    answers: { 204: 'Its series have ended', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: '/benchmarks',
    summary: 'Benchmarks with their last run',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'delete',
    path: '/benchmarks/runs',
    summary: 'End every run',
    role: 'bench',
    answers: { 200: 'How many were ended' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/runs',
    summary: 'Runs, newest first',
    role: 'read',
    answers: { 200: 'A list', 404: 'Unknown' },
  },
  {
    method: 'post',
    path: '/benchmarks/{name}/runs',
    summary: 'Start or queue a run, with { "profile": true } a profile after it',
    role: 'bench',
    answers: { 202: 'The run', 400: 'It has no builds to profile', 404: 'Unknown', 409: 'One is under way' },
  },
  { method: 'get', path: run, summary: 'A run', role: 'read', answers: { 200: 'The run', 404: 'Unknown' } },
  {
    method: 'delete',
    path: run,
    summary: 'Cancel a run',
    role: 'bench',
    answers: { 202: 'The run', 404: 'Unknown', 409: 'It is over' },
  },
  {
    method: 'get',
    path: `${run}/events`,
    summary: 'The run and its progress as server-sent events, then one `end`',
    role: 'read',
    answers: { 200: 'text/event-stream', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: `${run}/report`,
    summary: 'A run’s report',
    role: 'read',
    answers: { 200: 'HTML', 404: 'No result' },
  },
  {
    method: 'post',
    path: '/benchmarks/{name}/results',
    summary: 'Take a result that was measured elsewhere into the history',
    role: 'bench',
    answers: {
      200: 'The run of this Idempotency-Key',
      201: 'The run',
      400: 'What is wrong with the result',
      409: 'Too many benchmarks',
    },
  },
  {
    method: 'get',
    path: `${run}/artefacts`,
    summary: 'Files kept with a run',
    role: 'read',
    answers: { 200: 'A list', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: `${run}/artefacts/{file}`,
    summary: 'One of them',
    role: 'read',
    answers: { 200: 'The file', 404: 'Unknown' },
  },
  {
    method: 'put',
    path: `${run}/artefacts/{file}`,
    summary: 'Keep a file with a run that has ended',
    role: 'bench',
    answers: { 204: 'Kept', 400: 'Not one of the known names', 404: 'Unknown', 409: 'It is under way' },
  },
  {
    method: 'get',
    path: '/benchmarks/comparison',
    summary: 'Any two runs (`base`, `head`) side by side',
    role: 'read',
    answers: { 200: 'Figures with verdicts', 404: 'No results' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/comparison',
    summary: 'Two runs (`base`, `head`) side by side',
    role: 'read',
    answers: { 200: 'Figures with verdicts', 404: 'No results' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/changes',
    summary: 'Change points of the history',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'post',
    path: '/v1/metrics',
    summary: 'OTLP/HTTP metrics, protobuf or JSON',
    role: 'push',
    answers: { 200: 'ExportMetricsServiceResponse', 400: 'No export request', 415: 'Another encoding' },
  },
  {
    method: 'post',
    path: '/push/{job}',
    summary: 'Push metrics of a short-lived job',
    role: 'push',
    answers: pushed,
  },
  { method: 'put', path: '/push/{job}', summary: 'The same', role: 'push', answers: pushed },
  { method: 'delete', path: '/push/{job}', summary: 'Delete a pushed job', role: 'push', answers: removed },
  {
    method: 'post',
    path: '/push/{job}/{instance}',
    summary: 'Push metrics of one instance of a job',
    role: 'push',
    answers: pushed,
  },
  { method: 'put', path: '/push/{job}/{instance}', summary: 'The same', role: 'push', answers: pushed },
  {
    method: 'delete',
    path: '/push/{job}/{instance}',
    summary: 'Delete a pushed instance of a job',
    role: 'push',
    answers: removed,
  },
];
