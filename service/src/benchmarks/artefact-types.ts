/** The files that a run can have, with their media types. No others are taken or served. */
export const artefactTypes: Readonly<Record<string, string>> = Object.freeze({
  'flame-graph.svg': 'image/svg+xml',
  'speedscope.json': 'application/json',
  'culprits.json': 'application/json',
  'base.cpuprofile': 'application/json',
  'head.cpuprofile': 'application/json',
  'report.html': 'text/html',
});

/** Bytes of one of them. */
export const maxArtefactBytes = 16_777_216;
