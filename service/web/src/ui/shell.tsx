import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { listDashboards } from '../api/dashboards.ts';
import { applyTheme, storedTheme, type Theme } from './theme.ts';
import { useAsync } from './use-async.ts';

const tools: readonly { readonly href: string; readonly label: string }[] = [
  { href: '/ui/explore', label: 'Explore' },
  { href: '/ui/alerts', label: 'Alerts' },
  { href: '/ui/targets', label: 'Targets' },
  { href: '/ui/benchmarks', label: 'Benchmarks' },
  { href: '/ui/connect', label: 'Connect' },
];

/** The frame of every page: brand, navigation, theme. */
export function Shell(props: { readonly path: string; readonly children: ComponentChildren }): JSX.Element {
  const { path, children } = props;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="masthead">
        <a class="brand" href="/" aria-label="Weir, overview">
          <BrandMark />
          <span>Weir</span>
        </a>
        <nav aria-label="Pages" class="pages">
          <PageLink href="/" label="Overview" path={path} />
          <DashboardLinks path={path} />
          <span class="pages-rule" aria-hidden="true" />
          {tools.map(({ href, label }) => (
            <PageLink key={href} href={href} label={label} path={path} />
          ))}
        </nav>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** Water falling over a crest. */
function BrandMark(): JSX.Element {
  return (
    <svg class="brand-mark" viewBox="0 0 28 20" aria-hidden="true">
      <path class="brand-water" d="M1 5h10c5 0 4 10 9 10h7" />
      <path class="brand-water-deep" d="M1 10h7M1 15h7" />
      <path class="brand-crest" d="M11.5 9v10" />
    </svg>
  );
}

function PageLink(props: {
  readonly href: string;
  readonly label: string;
  readonly path: string;
}): JSX.Element {
  const { href, label, path } = props;
  const isWithin = href !== '/' && path.startsWith(`${href}/`);
  return (
    <a href={href} aria-current={path === href ? 'page' : isWithin ? 'true' : undefined}>
      {label}
    </a>
  );
}

/** Every dashboard but the overview, which is the first page. */
function DashboardLinks({ path }: { readonly path: string }): JSX.Element {
  const { data = [] } = useAsync(listDashboards, []);
  const others = data.filter(({ uid }) => uid !== 'weir-overview');
  return (
    <>
      {others.map(({ uid, title }) => (
        <PageLink key={uid} href={`/ui/dashboards/${uid}`} label={dashboardLabel(title)} path={path} />
      ))}
    </>
  );
}

/** A dashboard's title without the product's name, which every one bears. */
export function dashboardLabel(title: string): string {
  const rest = title.replace(/^Weir /, '');
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

const next: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const names: Readonly<Record<Theme, string>> = { system: 'auto', light: 'light', dark: 'dark' };
const symbols: Readonly<Record<Theme, string>> = { system: '◐', light: '○', dark: '●' };

function ThemeSwitch(): JSX.Element {
  const [theme, setTheme] = useState(storedTheme);
  const change = (): void => {
    applyTheme(next[theme]);
    setTheme(next[theme]);
  };
  return (
    <button
      type="button"
      class="theme"
      onClick={change}
      aria-label={`Colours: ${names[theme]}. Change to ${names[next[theme]]}.`}
      title={`Colours: ${names[theme]}`}
    >
      <span aria-hidden="true">{symbols[theme]}</span>
      <span class="theme-name">{names[theme]}</span>
    </button>
  );
}
