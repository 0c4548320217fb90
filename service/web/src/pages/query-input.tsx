import type { JSX } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { complete } from '../model/complete.ts';

/** A line of PromQL with completion: arrow keys choose, Tab or Enter take, Escape closes, Enter alone runs. */
export function QueryInput(props: {
  readonly value: string;
  readonly known: { readonly metrics: readonly string[]; readonly labels: readonly string[] };
  readonly onRun: (expr: string) => void;
}): JSX.Element {
  const { value, known, onRun } = props;
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [cursor, setCursor] = useState<number | undefined>(undefined);
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const { from, to, candidates } =
    cursor === undefined ? { from: 0, to: 0, candidates: [] } : complete(text, cursor, known);
  const open = candidates.length > 0;

  const take = (name: string | undefined): void => {
    if (name === undefined) return;
    setText(text.slice(0, from) + name + text.slice(to));
    setCursor(undefined);
    const end = from + name.length;
    requestAnimationFrame(() => input.current?.setSelectionRange(end, end));
    input.current?.focus();
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' && open) setChosen((chosen + 1) % candidates.length);
    else if (event.key === 'ArrowUp' && open) setChosen((chosen + candidates.length - 1) % candidates.length);
    else if (event.key === 'Escape' && open) setCursor(undefined);
    else if ((event.key === 'Tab' || event.key === 'Enter') && open && !event.shiftKey)
      take(candidates[chosen]);
    else if (event.key === 'Enter') onRun(text);
    else return;
    event.preventDefault();
  };
  return (
    <form
      class="query"
      onSubmit={(event) => {
        event.preventDefault();
        setCursor(undefined);
        onRun(text);
      }}
    >
      <div class="query-field">
        <input
          ref={input}
          class="query-input"
          value={text}
          placeholder="sum by (http_route) (rate(http_server_request_duration_seconds_count[1m]))"
          aria-label="PromQL expression"
          role="combobox"
          aria-expanded={open}
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={open ? `${id}-${chosen}` : undefined}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setCursor(event.currentTarget.selectionStart ?? undefined);
            setChosen(0);
          }}
          onKeyDown={key}
          onBlur={() => setTimeout(() => setCursor(undefined), 150)}
        />
        <div class="completions" id={id} role="listbox" aria-label="Completions" hidden={!open}>
          {candidates.map((name, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the input's
            // biome-ignore lint/a11y/useFocusableInteractive: the input keeps the focus and names the active option
            <div
              key={name}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === chosen}
              onClick={() => take(name)}
            >
              {name}
            </div>
          ))}
        </div>
      </div>
      <button type="submit" class="primary">
        Run
      </button>
    </form>
  );
}
