/** Wrong arguments on the command line; printed as one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
