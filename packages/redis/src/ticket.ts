import type { RedisLink } from './link.ts';

/** The first microsecond of all times: over for every server, and not 0, which means no limit. */
const past = Buffer.from('1'.padStart(16, '0'), 'latin1');

/**
 * Until when, in microseconds of the server's clock, a script may act: 16 digits, its first argument. 0: no limit.
 *
 * ioredis sends unanswered commands again when it has reconnected, and every client may hold a command back. Clients with
 * `writesLate` write a Buffer as it is at that moment: a void ticket makes the script of any later sending do nothing.
 */
export class Ticket {
  readonly argument: Buffer;

  /** @param notAfterUs 0: no limit. */
  constructor(notAfterUs: number) {
    this.argument = Buffer.from(String(Math.ceil(notAfterUs)).padStart(16, '0'), 'latin1');
  }

  void(): void {
    this.argument.set(past);
  }
}

const offices = new WeakMap<RedisLink, TicketOffice>();

/** The one office of a link, whatever number of callers use it. */
export function ticketsOf(link: RedisLink): TicketOffice {
  let office = offices.get(link);
  if (office === undefined) {
    office = new TicketOffice(link);
    offices.set(link, office);
  }
  return office;
}

/** Voids the tickets of all calls under way when their connection is lost, so that none acts a second time. */
export class TicketOffice {
  readonly #open = new Set<Ticket>();

  constructor(link: RedisLink) {
    link.watch((now) => {
      if (now === 'lost') for (const ticket of this.#open) ticket.void();
    });
  }

  /** A ticket for a call that is about to be sent. {@link settle} ends it. */
  issue(notAfterUs: number): Ticket {
    const ticket = new Ticket(notAfterUs);
    this.#open.add(ticket);
    return ticket;
  }

  settle(ticket: Ticket): void {
    this.#open.delete(ticket);
    ticket.void();
  }
}
