/** Wrong arguments; the message is the one line that the user sees. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
