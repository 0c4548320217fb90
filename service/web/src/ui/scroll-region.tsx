import type { ComponentChildren, JSX } from 'preact';

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
