/**
 * CDK's own custom resources answer CloudFormation with `https.request`, whatever the address says, and drop its
 * port. The emulator listens on plain HTTP, so requests to this machine go there.
 */
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';

/** Send HTTPS requests for the host of `endpoint` to `endpoint` itself; all others stay what they are. */
export function sendCallbacksOverHttp(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const { hostname, port } = new URL(endpoint);
  const stock = https.request;
  const request = (...args: unknown[]): http.ClientRequest => {
    const [options, onResponse] = args as [https.RequestOptions, (response: http.IncomingMessage) => void];
    const local = typeof options === 'object' && (options.hostname ?? options.host) === hostname;
    if (!local) return (stock as (...all: unknown[]) => http.ClientRequest)(...args);
    return http.request(
      { ...options, protocol: 'http:', port: options.port ?? port, agent: undefined },
      onResponse,
    );
  };
  https.request = request as typeof https.request;
  syncBuiltinESMExports();
}
