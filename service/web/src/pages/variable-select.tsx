import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import type { VariableState } from './use-variables.ts';

/** A choice of several values, or all, in a popover of check boxes. */
export function VariableSelect({ variable }: { readonly variable: VariableState }): JSX.Element {
  const { label, options, selected, error, select } = variable;
  const id = useId();
  const shown = selected.length === 0 ? 'All' : selected.join(', ');
  // A choice that no series carries any more stays listed, so that it can be taken back.
  const listed = [...options, ...selected.filter((value) => !options.includes(value))];
  const toggle = (value: string): void =>
    select(selected.includes(value) ? selected.filter((one) => one !== value) : [...selected, value]);
  const place = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    const anchor = box.previousElementSibling?.getBoundingClientRect();
    if (anchor === undefined) return;
    box.style.top = `${Math.round(anchor.bottom + 4)}px`;
    box.style.left = `${Math.round(Math.max(8, Math.min(anchor.left, innerWidth - 268)))}px`;
  };
  return (
    <div class="variable">
      <button type="button" class="field variable-button" popovertarget={id}>
        <span class="field-name">{label}</span>
        <span class="variable-value">{shown}</span>
      </button>
      <div id={id} popover="auto" class="variable-menu" onBeforeToggle={place}>
        <fieldset>
          <legend>{label}</legend>
          <label class="choice">
            <input type="checkbox" checked={selected.length === 0} onChange={() => select([])} />
            All
          </label>
          {listed.map((value) => (
            <label class="choice" key={value}>
              <input type="checkbox" checked={selected.includes(value)} onChange={() => toggle(value)} />
              {value}
            </label>
          ))}
          {error !== undefined && <p role="alert">{error}</p>}
        </fieldset>
      </div>
    </div>
  );
}
