/** Version of the service, as it names itself to targets and clients. */
export const version = '0.1.0';
