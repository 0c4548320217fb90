import { useEffect, useState } from 'preact/hooks';

/** Where the reader is. */
interface Location {
  readonly path: string;
  readonly search: URLSearchParams;
}

const changed = 'weir:location';

function current(): Location {
  return { path: location.pathname, search: new URLSearchParams(location.search) };
}

/** The location; the component renders again when it changes. */
export function useLocation(): Location {
  const [where, setWhere] = useState(current);
  useEffect(() => {
    const update = (): void => setWhere(current());
    addEventListener('popstate', update);
    addEventListener(changed, update);
    return () => {
      removeEventListener('popstate', update);
      removeEventListener(changed, update);
    };
  }, []);
  return where;
}

/** Goes to a page of this application as a new entry of the history. */
export function navigate(href: string): void {
  history.pushState(null, '', href);
  dispatchEvent(new Event(changed));
  scrollTo(0, 0);
}

/**
 * Changes parameters of the URL by a choice of the reader; `undefined` removes one. Each change is a new entry of the history, so
 * Back returns to the choice before, and a reload or a sent link keeps it. A change that changes nothing adds no entry.
 */
export function changeSearch(
  changes: Readonly<Record<string, string | readonly string[] | undefined>>,
): void {
  const search = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    search.delete(name);
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) search.append(name, one);
  }
  const text = search.toString();
  if (text === new URLSearchParams(location.search).toString()) return;
  history.pushState(null, '', text === '' ? location.pathname : `${location.pathname}?${text}`);
  dispatchEvent(new Event(changed));
}

/** Makes plain links of this application navigate without a reload. To be set once, on the root. */
export function interceptLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
    return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || link.origin !== location.origin || link.target !== '') return;
  if (link.pathname !== '/' && !link.pathname.startsWith('/ui/')) return;
  if (link.hash !== '' && link.pathname === location.pathname) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}
