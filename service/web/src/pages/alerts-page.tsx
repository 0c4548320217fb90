import type { JSX } from 'preact';
import { type ApiAlertingRule, alertRules } from '../api/prometheus.ts';
import { formatAge } from '../model/time-range.ts';
import { useAsync, useTicks } from '../ui/use-async.ts';

const order: Readonly<Record<ApiAlertingRule['state'], number>> = { firing: 0, pending: 1, inactive: 2 };

/** Every alerting rule with its state, those that fire first. */
export function AlertsPage(): JSX.Element {
  const ticks = useTicks(10_000);
  const { data, error } = useAsync(alertRules, [ticks]);
  const rules = [...(data?.rules ?? [])].sort((a, b) => order[a.state] - order[b.state]);
  const firing = rules.filter(({ state }) => state === 'firing').length;
  return (
    <div class="page">
      <h1>Alerts</h1>
      <p class="lead" role="status">
        {data === undefined
          ? 'Loading the rules…'
          : rules.length === 0
            ? 'No rules are configured. Name rule files under “rules” in weir.config.json; dashboards/generated/weir.rules.yml is one.'
            : firing === 0
              ? `Nothing fires. ${rules.length} rules watch.`
              : `${firing} of ${rules.length} rules fire.`}
      </p>
      {error !== undefined && <p role="alert">{error}</p>}
      {data?.warnings.map((warning) => (
        <p key={warning} role="alert">
          {warning}
        </p>
      ))}
      <ul class="alerts">
        {rules.map((rule, at) => (
          // The service's rules and a backend's may share a name.
          <li key={`${rule.name} ${at}`} class={`alert alert-${rule.state}`}>
            <details open={rule.state === 'firing'}>
              <summary>
                <span class="target-dot" aria-hidden="true" />
                <b>{rule.name}</b> <span class="alert-state">{rule.state}</span>
                <span class="alert-severity">{rule.labels.severity}</span>
              </summary>
              {rule.alerts?.map((one) => (
                <p key={JSON.stringify(one.labels)} class="alert-one">
                  {one.annotations.summary ?? JSON.stringify(one.labels)}, {one.state} since{' '}
                  {formatAge(Date.now() - Date.parse(one.activeAt)).replace(' ago', '')}
                </p>
              ))}
              <p>{rule.alerts?.[0]?.annotations.description ?? rule.annotations.description}</p>
              {rule.annotations.runbook_url !== undefined && (
                <p>
                  Runbook: <Runbook url={rule.annotations.runbook_url} />
                </p>
              )}
              <p>
                <a href={`/ui/explore?expr=${encodeURIComponent(rule.query)}`}>Explore</a>{' '}
                <code>{rule.query}</code>
              </p>
            </details>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Runbook({ url }: { readonly url: string }): JSX.Element {
  return /^https?:/.test(url) ? <a href={url}>{url}</a> : <code>{url}</code>;
}
