/** What the reader chose; `system` follows the device. */
export type Theme = 'system' | 'light' | 'dark';

const key = 'weir-theme';
const listeners = new Set<() => void>();
const darkDevice = matchMedia('(prefers-color-scheme: dark)');

/** The stored choice; `system` if none or if storage is refused. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(key);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}

/** Shows the page in `theme` and keeps the choice. */
export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === 'system') root.removeAttribute('data-theme');
  else root.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  } catch {
    // Storage refused: the choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

/** Calls back whenever colours change, by choice or by the device. Returns the way to stop. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  darkDevice.addEventListener('change', listener);
  return () => {
    listeners.delete(listener);
    darkDevice.removeEventListener('change', listener);
  };
}

/** What `pixels` of a page with a root of 16 are at its present size, for canvases. */
export function scaled(pixels: number): number {
  return (pixels * Number.parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
}

/** The font of labels on canvases. */
export function canvasFont(): string {
  return `500 ${scaled(11)}px 'Barlow Semi Condensed', system-ui, sans-serif`;
}

/** The value of a colour of the style sheet now, for canvases. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
