import type { JSX } from 'preact';

/** A name of the legend with the values that stand beside it. */
export interface LegendEntry {
  readonly name: string;
  readonly color: string;
  readonly values: readonly { readonly label: string; readonly text: string }[];
}

/** The names of a chart's series. Each is a button that shows its series alone, and all again. */
export function Legend(props: {
  readonly entries: readonly LegendEntry[];
  readonly alone: string | undefined;
  readonly onToggle: (name: string) => void;
}): JSX.Element {
  return (
    <ul class="legend">
      {props.entries.map(({ name, color, values }) => (
        <li key={name}>
          <button
            type="button"
            class={props.alone !== undefined && props.alone !== name ? 'legend-item dimmed' : 'legend-item'}
            aria-pressed={props.alone === name}
            title={`Show ${name} alone`}
            onClick={() => props.onToggle(name)}
          >
            <span class="swatch" style={{ background: color }} />
            <span class="legend-name">{name}</span>
            {values.map(({ label, text }) => (
              <span class="legend-value" key={label}>
                {label !== '' && <span class="legend-calc">{label} </span>}
                {text}
              </span>
            ))}
          </button>
        </li>
      ))}
    </ul>
  );
}
