/** What `--help` says. */
export const usage = `weir-dashboards write <directory> [options]   write dashboards, rules and provisioning
weir-dashboards list                          name the dashboards

  --prefix <name>            begins titles, uids and alert names (Weir)
  --datasource <name|uid>    data source that dashboards open with (Grafana's default)
  --datasource-url <url>     also provisions it: a Prometheus, or the Weir service
  --scrape-interval <5s>     of that data source
  --tempo-url <url>          also provisions Tempo, for traces
  --job-label <label>        tells services apart (job)
  --instance-label <label>   tells processes of a service apart (instance)
  --slo <file>               objectives, in YAML or JSON (99.9 % without 5xx, 99 % within 250 ms)
  --runbooks <url>           where runbooks lie (docs/runbooks/)
  --traces <uid>             uid of the Tempo data source (tempo)
  --mount <path>             where Grafana will see the dashboards (their directory)
  --grafana-alerts           also writes the alerts as Grafana-managed rules
  --time-scale <number>      shortens windows and delays of rules, to rehearse alerts (1)
  --help, --version

Exit codes: 0 written, 1 the disk refused, 64 usage or a mistake in the SLO file.`;
