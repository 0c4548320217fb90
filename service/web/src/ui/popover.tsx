import type { ComponentChildren, JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';

const width = 300;
const edge = 8;

/** A box behind a small button; the browser's popover gives Escape and outside clicks. */
export function Popover(props: {
  readonly class: string;
  /** What the button shows. */
  readonly sign: string;
  /** What a screen reader calls the button. */
  readonly label: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const place = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    const anchor = button.current?.getBoundingClientRect();
    if (anchor === undefined) return;
    const left = Math.max(edge, Math.min(anchor.right - width, innerWidth - width - edge));
    box.style.left = `${Math.round(left)}px`;
    // Below the button, or above it where the window ends.
    if (anchor.bottom > innerHeight * 0.7) {
      box.style.bottom = `${Math.round(innerHeight - anchor.top + 6)}px`;
      box.style.top = 'auto';
    } else {
      box.style.top = `${Math.round(anchor.bottom + 6)}px`;
      box.style.bottom = 'auto';
    }
  };
  return (
    <>
      <button ref={button} type="button" class={props.class} popovertarget={id} aria-label={props.label}>
        {props.sign}
      </button>
      <div id={id} popover="auto" class="explanation" onBeforeToggle={place}>
        {props.children}
      </div>
    </>
  );
}

/** A part of the page that scrolls sideways where it is too wide; by keyboard as well. */
export function ScrollRegion(props: {
  readonly label: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without focus the arrow keys could not scroll it
    <section class="table-host" tabIndex={0} aria-label={props.label}>
      {props.children}
    </section>
  );
}
