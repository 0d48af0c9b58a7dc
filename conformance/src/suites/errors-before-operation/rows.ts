import { contentTypes, encode, targetPrefix, type Encoding } from '../../wire/call.ts';
import type { RawRequest } from '../../wire/channel.ts';

/** A request that reaches no operation, and the exact answer. */
export interface Row {
  readonly name: string;
  readonly request: RawRequest;
  readonly status: number;
  /** Undefined: none at all. */
  readonly contentType: string | undefined;
  readonly body: Uint8Array | string | object;
}

const target = `${targetPrefix}.ListStreams`;
const accessDenied =
  '<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n';
const unknownOperation = '<UnknownOperationException/>\n';
const credential = 'AKIDEXAMPLE/20260101/us-east-1/kinesis/aws4_request';

/** Source: data-streams reference §1.5; texts recorded by kinesalite, where it is not the reference itself that has them. */
export function allRows(): Row[] {
  return [...methodRows(), ...typeRows(), ...(['json', 'cbor'] as const).flatMap((encoding) => encodedRows(encoding))];
}

function methodRows(): Row[] {
  return ['GET', 'PUT', 'DELETE', 'PATCH'].flatMap((method) => [
    denied(`${method} without anything`, request({ method })),
    denied(`${method} with a target and a type`, request({ method, type: contentTypes.json, target })),
  ]);
}

function typeRows(): Row[] {
  const rows = [
    denied('POST without anything', request({})),
    denied('a body, but neither type nor target', request({ body: '{}' })),
  ];
  for (const type of ['application/x-amz-json-1.0', 'text/plain']) {
    rows.push(denied(`type ${type}, no target`, request({ type, body: '{}' })), {
      name: `type ${type}, with a target`,
      request: request({ type, target, body: '{}' }),
      status: 404,
      contentType: undefined,
      body: unknownOperation,
    });
  }
  return [...rows, oldJson('{}', 404, 'UnknownOperationException'), oldJson('hello', 400, 'SerializationException')];
}

function oldJson(body: string, status: number, type: string): Row {
  return {
    name: `application/json with the body ${body}`,
    request: request({ type: 'application/json', target, body }),
    status,
    contentType: 'application/json',
    body: { Output: { __type: `com.amazon.coral.service#${type}` }, Version: '1.0' },
  };
}

function encodedRows(encoding: Encoding): Row[] {
  const contentType = contentTypes[encoding];
  const empty = encode({}, encoding);
  const row = (name: string, parts: Parts, body: object): Row => ({
    name: `${encoding}: ${name}`,
    request: request({ type: contentType, ...parts }),
    status: 400,
    contentType,
    body,
  });
  const serialization = { __type: 'SerializationException' };
  const unknown = { __type: 'UnknownOperationException' };
  const bad =
    encoding === 'json'
      ? ['hello', '[]', '1', 'null', '"x"', '{', '{"a":}']
      : [[0xff], [0x80], [0x01], [0xf6], [0x61, 0x78], [0xa1, 0x61]];
  return [
    row('no body, target known', { target }, serialization),
    row('no body, target unknown', { target: `${targetPrefix}.ListStream` }, unknown),
    row('no body, no target', {}, unknown),
    ...bad.map((body) =>
      row(
        `body ${JSON.stringify(body)}`,
        { target, body: typeof body === 'string' ? body : Uint8Array.from(body) },
        serialization,
      ),
    ),
    ...[
      `${targetPrefix}.ListStream`,
      'Other_20131202.ListStreams',
      `${targetPrefix}.`,
      'ListStreams',
      `${targetPrefix}.toString`,
    ].map((other) => row(`target ${other}`, { target: other, body: empty }, unknown)),
    row('no target', { body: empty }, unknown),
    ...authorizationRows((name, parts, type, message) =>
      row(name, { target, body: empty, ...parts }, { __type: type, message }),
    ),
  ];
}

function authorizationRows(row: (name: string, parts: Parts, type: string, message: string) => Row): Row[] {
  return [
    row('no credentials', {}, 'MissingAuthenticationTokenException', 'Missing Authentication Token'),
    row(
      'query parts, but no X-Amz-Algorithm',
      { query: 'X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=c&X-Amz-Date=d' },
      'MissingAuthenticationTokenException',
      'Missing Authentication Token',
    ),
    row(
      'both header and query',
      { query: 'X-Amz-Algorithm=a', headers: { authorization: 'X' } },
      'InvalidSignatureException',
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    ),
    ...headerRows(row),
    ...queryRows(row),
  ];
}

const headerSentences = {
  Credential: "Authorization header requires 'Credential' parameter. ",
  Signature: "Authorization header requires 'Signature' parameter. ",
  SignedHeaders: "Authorization header requires 'SignedHeaders' parameter. ",
  date: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
} as const;
type HeaderPart = keyof typeof headerSentences;

function headerRows(row: Parameters<typeof authorizationRows>[0]): Row[] {
  const parts: readonly HeaderPart[] = ['Credential', 'Signature', 'SignedHeaders', 'date'];
  const values = { Credential: credential, Signature: 'b', SignedHeaders: 'host' };
  const without = (missing: readonly HeaderPart[], separator: string): Row => {
    const given = Object.entries(values).filter(([part]) => !missing.includes(part as HeaderPart));
    const authorization = `AWS4-HMAC-SHA256 ${given.map((pair) => pair.join('=')).join(separator)}`.trim();
    const headers: Record<string, string> = missing.includes('date')
      ? { authorization }
      : { authorization, 'x-amz-date': '20260101T000000Z' };
    const sentences = parts.filter((part) => missing.includes(part)).map((part) => headerSentences[part]);
    const name = `header without ${missing.join(' and ')}, parted by "${separator}"`;
    return row(
      name,
      { headers },
      'IncompleteSignatureException',
      `${sentences.join('')}Authorization=${authorization}`,
    );
  };
  return [
    row(
      'header of nothing',
      { headers: { authorization: 'X' } },
      'IncompleteSignatureException',
      `${Object.values(headerSentences).join('')}Authorization=X`,
    ),
    ...parts.map((part) => without([part], ', ')),
    without(['SignedHeaders'], ','),
    without(['SignedHeaders'], ' '),
    without(['Credential', 'date'], ', '),
  ];
}

function queryRows(row: Parameters<typeof authorizationRows>[0]): Row[] {
  const values = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': credential,
    'X-Amz-Signature': 'b',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Date': '20260101T000000Z',
  };
  const names = Object.keys(values) as (keyof typeof values)[];
  const without = (missing: readonly string[]): Row => {
    // Without its value X-Amz-Algorithm still says that the query form is meant.
    const pairs = names
      .filter((name) => !missing.includes(name))
      .map((name) => `${name}=${encodeURIComponent(values[name])}`);
    const query = missing.includes('X-Amz-Algorithm') ? ['X-Amz-Algorithm', ...pairs].join('&') : pairs.join('&');
    const sentences = missing.map((name) => `AWS query-string parameters must include '${name}'. `);
    const message = `${sentences.join('')}Re-examine the query-string parameters.`;
    return row(`query without ${missing.join(' and ')}`, { query }, 'IncompleteSignatureException', message);
  };
  return [...names.map((name) => without([name])), without(names)];
}

interface Parts {
  readonly method?: string;
  readonly type?: string;
  readonly target?: string;
  readonly body?: Uint8Array | string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function request({ method = 'POST', type, target: named, body = '', query, headers }: Parts): RawRequest {
  return {
    method,
    path: query === undefined ? '/' : `/?${query}`,
    headers: {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(named === undefined ? {} : { 'x-amz-target': named }),
      ...headers,
    },
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
}

function denied(name: string, refused: RawRequest): Row {
  return { name, request: refused, status: 403, contentType: undefined, body: accessDenied };
}
