import type { ComponentChildren, JSX } from 'preact';
import type { Panel } from '../model/dashboard.ts';
import { resolveLink } from '../model/links.ts';
import { Popover } from '../ui/popover.tsx';
import type { DashboardContext } from './dashboard-context.ts';

/** Title, explanation and body of a panel; the body keeps its size whatever is in it. */
export function PanelFrame(props: {
  readonly panel: Panel;
  readonly title: string;
  /** The last refresh failed while older data stay on show. */
  readonly warning?: string | undefined;
  readonly dashboard: DashboardContext;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { panel, title, warning, dashboard, children } = props;
  return (
    <section class={`panel panel-${panel.type}`} aria-label={title}>
      <header class="panel-head">
        <h3>{title}</h3>
        {warning !== undefined && (
          <span class="panel-warning" title={warning}>
            not updated
          </span>
        )}
        {panel.links?.map(({ title: text, url }) => (
          <PanelLink key={url} text={text} href={resolveLink(url, dashboard.scope, dashboard.range)} />
        ))}
        {panel.description && <Explanation title={title} text={panel.description} />}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** To the dashboard or page that the panel names; nothing where the page must not lead there. */
function PanelLink(props: { readonly text: string; readonly href: string | undefined }): JSX.Element | null {
  const { text, href } = props;
  if (href === undefined) return null;
  return (
    <a class="panel-link" href={href} title={text}>
      <span class="sr-only">{text}</span>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d="M3 9 9 3M4 3h5v5" />
      </svg>
    </a>
  );
}

/** The panel's description behind a button. */
function Explanation({ title, text }: { readonly title: string; readonly text: string }): JSX.Element {
  return (
    <Popover class="explain" sign="?" label={`What “${title}” shows`}>
      {text}
    </Popover>
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
