import type { ComponentChildren, JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';
import type { Panel } from '../model/dashboard.ts';

/** Title, explanation and body of a panel; the body keeps its size whatever is in it. */
export function PanelFrame(props: {
  readonly panel: Panel;
  readonly title: string;
  /** The last refresh failed while older data stay on show. */
  readonly warning?: string | undefined;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { panel, title, warning, children } = props;
  return (
    <section class={`panel panel-${panel.type}`} aria-label={title}>
      <header class="panel-head">
        <h3>{title}</h3>
        {warning !== undefined && (
          <span class="panel-warning" title={warning}>
            not updated
          </span>
        )}
        {panel.description && <Explanation title={title} text={panel.description} />}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** The panel's description behind a button; the browser's popover gives Escape and outside clicks. */
function Explanation({ title, text }: { readonly title: string; readonly text: string }): JSX.Element {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const place = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    const anchor = button.current?.getBoundingClientRect();
    if (anchor === undefined) return;
    box.style.top = `${Math.round(anchor.bottom + 6)}px`;
    box.style.left = `${Math.round(Math.max(8, Math.min(anchor.right - 300, innerWidth - 308)))}px`;
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class="explain"
        popovertarget={id}
        aria-label={`What “${title}” shows`}
      >
        ?
      </button>
      <div id={id} popover="auto" class="explanation" onBeforeToggle={place}>
        {text}
      </div>
    </>
  );
}

/** Words in place of a chart. */
export function PanelMessage(props: {
  readonly kind: 'empty' | 'error';
  readonly children: string;
}): JSX.Element {
  return (
    <p
      class={`panel-message panel-message-${props.kind}`}
      role={props.kind === 'error' ? 'alert' : undefined}
    >
      {props.children}
    </p>
  );
}
