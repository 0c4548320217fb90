/** Version of the service, in its User-Agent and metrics. */
export const version = '0.1.0';

/** The version of Prometheus whose API and query language the service implements. Clients enable features by it. */
export const prometheusVersion = '3.5.0';
