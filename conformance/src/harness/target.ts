import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { freshFolder } from './folders.ts';
import { startOwnServer } from './own-server.ts';

/** One way to reach the endpoint. */
export type Transport =
  | { readonly name: 'http'; readonly endpoint: string }
  | { readonly name: 'https'; readonly endpoint: string; readonly pem: string; readonly pemFile: string };

/** What a suite runs against. */
export interface Target {
  /** `http`, then `https`; whichever of the two the endpoint speaks. */
  readonly transports: readonly Transport[];
  /** The first of them, for suites about something else. */
  readonly transport: Transport;
  /** Records of the large put-and-read checks. */
  readonly records: number;
  /** This process started the server: it may start others, with other settings. */
  readonly isOwn: boolean;
  close(): Promise<void>;
}

export const region = 'us-east-1';
export const credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } = {
  accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? 'test',
  secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? 'test',
};
/** Where other people's clients look for both. */
export const clientEnvironment: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
};

/** A name that no other run has. */
export function freshName(purpose: string): string {
  return `conformance-${purpose}-${randomBytes(5).toString('hex')}`;
}

/** @param endpoint   undefined starts the built server */
export async function openTarget(endpoint: string | undefined, records: number): Promise<Target> {
  const server = endpoint === undefined ? await startOwnServer() : undefined;
  const folder = freshFolder('certificate');
  const close = async (): Promise<void> => {
    folder.remove();
    await server?.close();
  };
  try {
    const transports = await findTransports(
      new URL(server?.endpoint ?? (endpoint as string)),
      join(folder.path, 'ca.pem'),
    );
    return { transports, transport: transports[0] as Transport, records, isOwn: server !== undefined, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The scheme asked for, and TLS on the same port where the endpoint has it. */
async function findTransports(url: URL, pemFile: string): Promise<Transport[]> {
  const transports: Transport[] = [];
  if (url.protocol === 'http:') transports.push({ name: 'http', endpoint: url.origin });
  const pem = await certificateOf(url);
  if (pem !== undefined) {
    writeFileSync(pemFile, pem);
    transports.push({ name: 'https', endpoint: `https://${url.host}`, pem, pemFile });
  }
  if (transports.length === 0) throw new Error(`${url.href} speaks no TLS`);
  return transports;
}

/** The certificate that a TLS connection shows, as PEM; undefined where there is no TLS. */
async function certificateOf(url: URL): Promise<string | undefined> {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname.replaceAll(/[[\]]/g, ''), port, rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      const lines = raw.toString('base64').match(/.{1,64}/g) ?? [];
      resolve(['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'));
    });
    socket.on('error', () => resolve(undefined));
  });
}
