import { Encoder, Tag } from 'cbor-x';
import type { Transport } from '../harness/target.ts';
import { openHttp1, type Channel, type RawAnswer, type RawRequest } from './channel.ts';
import { signed } from './signer.ts';

export type Encoding = 'json' | 'cbor';

export const contentTypes: Readonly<Record<Encoding, string>> = {
  json: 'application/x-amz-json-1.1',
  cbor: 'application/x-amz-cbor-1.1',
};

export const targetPrefix = 'Kinesis_20131202';

const cborOptions = {
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  variableMapSize: true,
  // Its types lack this one. Times have milliseconds beyond 32 bits.
  int64AsNumber: true,
};
const cbor = new Encoder(cborOptions);

/** The answer to a call, its body decoded. */
export interface Answer {
  readonly status: number;
  /** Of an error: its type without namespace; else undefined. */
  readonly type: string | undefined;
  /** Of an error: `message`, or `Message` as serialization errors have it. */
  readonly message: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  readonly raw: RawAnswer;
}

/** Makes calls with bodies of any content, which no SDK would send. */
export class Caller {
  readonly transport: Transport;
  readonly encoding: Encoding;
  readonly #channel: Channel;

  /** @param encoding   of calls that name none */
  constructor(transport: Transport, channel: Channel = openHttp1(transport), encoding: Encoding = 'json') {
    this.transport = transport;
    this.encoding = encoding;
    this.#channel = channel;
  }

  /** Members of type blob are given as bytes, in either encoding. */
  async call(operation: string, input: object, encoding: Encoding = this.encoding): Promise<Answer> {
    const raw = await this.#channel.send(
      await signed(requestOf(operation, encode(input, encoding), encoding), this.transport),
    );
    const body = raw.body.length === 0 ? {} : (decode(raw.body, encoding) as Record<string, string | undefined>);
    if (raw.status === 200) return { status: 200, type: undefined, message: undefined, body, raw };
    return {
      status: raw.status,
      type: body['__type']?.split('#').at(-1),
      message: body['message'] ?? body['Message'],
      body,
      raw,
    };
  }

  /** The same, of which success is expected. */
  async mustCall(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, type, message, body } = await this.call(operation, input);
    if (status !== 200) throw new Error(`${operation} answered ${status} ${type}: ${message}`);
    return body;
  }

  close(): void {
    this.#channel.close();
  }
}

export function requestOf(operation: string, body: Uint8Array, encoding: Encoding): RawRequest {
  const headers = { 'content-type': contentTypes[encoding], 'x-amz-target': `${targetPrefix}.${operation}` };
  return { method: 'POST', path: '/', headers, body };
}

export function encode(input: unknown, encoding: Encoding): Uint8Array {
  if (encoding === 'cbor') return cbor.encode(input);
  return Buffer.from(JSON.stringify(input, (_, value: unknown) => (isBytes(value) ? base64Of(value) : value)));
}

export function decode(bytes: Uint8Array, encoding: Encoding): unknown {
  return encoding === 'cbor' ? cbor.decode(bytes) : JSON.parse(Buffer.from(bytes).toString('utf8'));
}

/** A point in time as requests have it: seconds in JSON, a tagged count of milliseconds in CBOR. */
export function timestampOf(ms: number, encoding: Encoding): unknown {
  return encoding === 'cbor' ? new Tag(BigInt(ms), 1) : ms / 1000;
}

/** JSON.stringify turns a Buffer into an object before the replacer sees it; so blobs are given as plain Uint8Array. */
function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
