/** Labels of a series as the API answers them; `__name__` is the metric. */
export type Labels = Readonly<Record<string, string>>;

/** The name of a series: the template with `{{label}}` filled in, or without one the series as PromQL writes it. */
export function legendName(template: string | undefined, labels: Labels): string {
  if (template === undefined || template === '' || template === '__auto') return seriesName(labels);
  return (
    template.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim() ||
    seriesName(labels)
  );
}

/** `metric{label="value"}`, as PromQL writes a series; `{}` for one without labels. */
export function seriesName(labels: Labels): string {
  const { __name__: metric = '', ...rest } = labels;
  const matchers = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return matchers.length === 0 && metric !== '' ? metric : `${metric}{${matchers.join(', ')}}`;
}
