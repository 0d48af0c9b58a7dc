import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { credentials, region, type Transport } from '../harness/target.ts';
import type { RawRequest } from './channel.ts';

/** What the signer of the AWS SDK expects of a hash. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

export interface SigningOptions {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly at?: Date;
}

/** Adds a signature in the header form, made by the SDK's own signer. */
export async function signed(
  request: RawRequest,
  transport: Transport,
  options: SigningOptions = {},
): Promise<RawRequest> {
  const { at = new Date(), ...others } = options;
  const signer = new SignatureV4({
    credentials: { ...credentials, ...others },
    region,
    service: 'kinesis',
    sha256: Sha256,
  });
  const { host, hostname, protocol } = new URL(transport.endpoint);
  const headers = { ...request.headers, host };
  const message = {
    method: request.method,
    protocol,
    hostname,
    path: request.path,
    query: {},
    headers,
    body: request.body,
  };
  const { host: _, ...rest } = (await signer.sign(message, { signingDate: at })).headers;
  return { ...request, headers: rest };
}
