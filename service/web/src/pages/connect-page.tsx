import type { JSX } from 'preact';
import { targets } from '../api/prometheus.ts';
import { useAsync } from '../ui/use-async.ts';

/** How to read the same metrics with Grafana. */
export function ConnectPage(): JSX.Element {
  const { data = [] } = useAsync(targets, []);
  const interval = data[0]?.scrapeInterval ?? '5s';
  const provisioning = `apiVersion: 1
datasources:
  - name: Weir
    uid: weir
    type: prometheus
    access: proxy
    url: ${location.origin}
    jsonData:
      httpMethod: POST
      timeInterval: ${interval}
`;
  return (
    <div class="page">
      <h1>Connect Grafana</h1>
      <p class="lead">
        This service answers Prometheus’ HTTP API, so Grafana’s own Prometheus data source reads it. The
        dashboards here are the same files that Grafana imports.
      </p>
      <ol class="steps">
        <li>
          In Grafana open Connections, Data sources, Add, and choose <b>Prometheus</b>.
        </li>
        <li>
          Set the URL to <code>{location.origin}</code>. Grafana’s server must reach it: this service listens
          on loopback unless configured otherwise.
        </li>
        <li>
          Set “Scrape interval” to <code>{interval}</code>. Rates are computed over four of it.
        </li>
        <li>
          If the service has tokens, choose Basic authentication with any user name and a token of role
          “read”.
        </li>
        <li>
          Import the files of <code>dashboards/generated</code>, or provision them as{' '}
          <code>dashboards/provisioning</code> does.
        </li>
      </ol>
      <h2>Or as a file for provisioning/datasources</h2>
      <pre class="snippet">
        <code>{provisioning}</code>
      </pre>
    </div>
  );
}
