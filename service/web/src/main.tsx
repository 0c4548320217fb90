import '@fontsource/barlow-semi-condensed/latin-400.css';
import '@fontsource/barlow-semi-condensed/latin-500.css';
import '@fontsource/barlow-semi-condensed/latin-600.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/dashboard.css';
import './styles/charts.css';
import './styles/benchmarks.css';
import './styles/flame.css';
import './styles/pages.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { applyTheme, storedTheme } from './ui/theme.ts';

applyTheme(storedTheme());
// The script blocks the first paint and so runs before the body is there.
if (document.body === null) addEventListener('DOMContentLoaded', start);
else start();

function start(): void {
  const root = document.getElementById('app');
  if (root !== null) render(<App />, root);
}
