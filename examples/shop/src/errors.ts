const messages = {
  ERR_WEIR_SHOP_CONFIG: (name: string, detail: string) => `Expected ${name} to be ${detail}`,
  ERR_WEIR_SHOP_PORT_IN_USE: (port: string, _: string) =>
    `Port ${port} is in use. Set PORT to another one, or end the process that holds it.`,
  ERR_WEIR_SHOP_DATABASE: (where: string, detail: string) =>
    `The database at ${where} does not answer: ${detail}. Check DATABASE_URL, or unset it to use the built-in PostgreSQL.`,
} as const;

/** What keeps the shop from starting; each message is one line that carries the repair, and `code` is stable. */
export class ShopError extends Error {
  readonly code: keyof typeof messages;

  constructor(code: keyof typeof messages, first: string, second = '', options?: ErrorOptions) {
    super(messages[code](first, second), options);
    this.name = 'ShopError';
    this.code = code;
  }
}
