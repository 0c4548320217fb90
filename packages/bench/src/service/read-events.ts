/** One server-sent event (WHATWG HTML, section 9.2). */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

const longest = 16_777_216;

/** The events of a stream, until it ends. Comments, ids and retry times are left out. @throws when one is over 16 MiB */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let held = '';
  let name = 'message';
  let data: string[] = [];
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true });
    if (held.length > longest) throw new Error('an event is longer than 16 MiB');
    // A carriage return at the very end may be half of a line's end.
    const lines = held.split(/\r\n|\n|\r(?!$)/);
    held = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { name, data: data.join('\n') };
        name = 'message';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
    }
  }
}
