const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, SVG and XML, in content and in quoted attributes. Control characters, which XML forbids, are dropped. */
export function escapeMarkup(text: string): string {
  const allowed = text.replace(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : ''));
  return allowed.replace(/[&<>"']/g, (char) => entities[char] ?? '');
}
