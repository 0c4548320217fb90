/** Version of the service, as it names itself to targets and clients. */
export const version = '0.1.0';

/** The Prometheus whose API and query language the service answers with; clients switch features by it. */
export const prometheusVersion = '3.5.0';
