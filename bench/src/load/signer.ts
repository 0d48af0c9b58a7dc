import { createHash, createHmac } from 'node:crypto';
import type { Address } from './connection.ts';

const region = 'us-east-1';
const accessKey = 'test';
const secretKey = 'test';

/** Makes complete, SigV4-signed requests, so that a server that verifies signatures can be driven, too. */
export class Signer {
  readonly #host: string;
  #day = '';
  #key: Buffer = Buffer.alloc(0);

  constructor({ host, port }: Address) {
    this.#host = `${host}:${port}`;
  }

  /** Head and body of one call, ready for the socket. */
  request(operation: string, input: unknown): Buffer {
    const body = Buffer.from(JSON.stringify(input));
    const time = new Date().toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
    const headers = [
      ['content-type', 'application/x-amz-json-1.1'],
      ['host', this.#host],
      ['x-amz-date', time],
      ['x-amz-target', `Kinesis_20131202.${operation}`],
    ];
    const lines = headers.map(([name, value]) => `${name}:${value}`);
    const names = headers.map(([name]) => name).join(';');
    const canonical = ['POST', '/', '', ...lines, '', names, sha256(body)].join('\n');
    const scope = `${time.slice(0, 8)}/${region}/kinesis/aws4_request`;
    const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
    const signature = hmac(this.#keyOf(time.slice(0, 8)), toSign).toString('hex');
    const head = [
      'POST / HTTP/1.1',
      ...headers.map(([name, value]) => `${name}: ${value}`),
      `authorization: AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
      `content-length: ${body.length}`,
    ];
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
  }

  #keyOf(day: string): Buffer {
    if (day !== this.#day) {
      this.#day = day;
      this.#key = [day, region, 'kinesis', 'aws4_request'].reduce(hmac, Buffer.from(`AWS4${secretKey}`));
    }
    return this.#key;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
