import { execFileSync } from 'node:child_process';

/** What to sign; `at` is epoch ms. */
export interface SignOptions {
  readonly at: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
  readonly service: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The query form. */
  readonly presign?: boolean;
  readonly expiresIn?: number;
}

/** A signed request, its query joined to its path. */
export interface SignedRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

const SIGNER = `
const { SignatureV4 } = require('@smithy/signature-v4');
const { createHash, createHmac } = require('node:crypto');
class Sha256 {
  constructor(secret) { this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', Buffer.from(secret)); }
  update(data) { this.hash.update(data); }
  async digest() { return this.hash.digest(); }
}
async function sign({ at, accessKeyId, secretAccessKey, sessionToken, region, service, path, query, headers, body, presign, expiresIn }) {
  const signer = new SignatureV4({ credentials: { accessKeyId, secretAccessKey, sessionToken }, region, service, sha256: Sha256 });
  const message = { method: 'POST', protocol: 'http:', hostname: 'localhost', path, query, headers, body };
  const signingDate = new Date(at);
  const signed = presign
    ? await signer.presign(message, { signingDate, expiresIn, unhoistableHeaders: new Set(['x-amz-target']) })
    : await signer.sign(message, { signingDate });
  const text = Object.entries(signed.query ?? {}).map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
  return { method: 'POST', path: text === '' ? signed.path : signed.path + '?' + text, headers: signed.headers, body };
}
Promise.all(JSON.parse(process.env.TO_SIGN).map(sign)).then((all) => process.stdout.write(JSON.stringify(all)));
`;

/**
 * Signs requests with the AWS SDK's own signer, in a process of its own: the test runner resolves packages under conditions of this
 * repository, under which the SDK's modules do not load.
 */
export function signWithSdk(all: readonly SignOptions[]): SignedRequest[] {
  const env = { ...process.env, TO_SIGN: JSON.stringify(all), NODE_OPTIONS: '' };
  const text = execFileSync(process.execPath, ['--input-type=commonjs', '-e', SIGNER], { env, encoding: 'utf8' });
  return JSON.parse(text) as SignedRequest[];
}
