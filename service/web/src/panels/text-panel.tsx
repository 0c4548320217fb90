import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Panel } from '../model/dashboard.ts';
import { ScrollRegion } from '../ui/scroll-region.tsx';
import { interpolate, type Scope } from '../variables/interpolate.ts';

/** Words in Markdown. HTML within them is shown as text and unsafe links go: micromark's own rule. */
export function TextPanel({ panel, scope }: { readonly panel: Panel; readonly scope: Scope }): JSX.Element {
  const { content = '' } = panel.options ?? {};
  const html = useMemo(
    () => micromark(interpolate(content, scope), { extensions: [gfm()], htmlExtensions: [gfmHtml()] }),
    [content, scope],
  );
  return (
    <ScrollRegion label={panel.title}>
      <div class="text-panel" dangerouslySetInnerHTML={{ __html: html }} />
    </ScrollRegion>
  );
}
