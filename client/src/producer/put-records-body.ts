import { Buffer } from 'node:buffer';
import type { PutRecordsCommand, PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';

interface Request {
  readonly headers: Readonly<Record<string, string>>;
  body?: unknown;
}

const json = 'application/x-amz-json-1.1';
const noRecords = '"Records":[]';
/** Of each record. */
const start = '{"Data":"';
/** Thrown where the SDK has written something else than was thought. */
const unknownBody = new Error('not the body of a PutRecords call in JSON');

/**
 * Has the body of a call written by `Buffer`, which is native, and not by the SDK's serializer, which makes the Base64 of each record in
 * JavaScript: a tenth of what a producer does. All else of the body is the SDK's. Middleware of the first step (`initialize`) sees the records, and what
 * it makes of them is written. Whatever body the SDK writes that is not known here goes as it is.
 */
export function writeBodyNatively(command: PutRecordsCommand): PutRecordsCommand {
  /** To be written by us. */
  let records: readonly PutRecordsRequestEntry[] | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const { Records } = args.input;
      if (!Array.isArray(Records)) return next(args);
      records = Records;
      try {
        return await next({ ...args, input: { ...args.input, Records: [] } });
      } catch (error) {
        if (error !== unknownBody) throw error;
      }
      records = undefined;
      return next(args);
    },
    { step: 'serialize', priority: 'high', name: 'millraceLeaveRecordsOut' },
  );
  command.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as Request;
      if (records !== undefined) request.body = withRecords(request, records);
      return next(args);
    },
    { step: 'build', priority: 'high', name: 'millraceWriteRecords' },
  );
  return command;
}

/** @throws unknownBody */
function withRecords({ headers, body }: Request, records: readonly PutRecordsRequestEntry[]): Buffer {
  const text = body instanceof Uint8Array ? asBuffer(body).toString() : body;
  if (headers['content-type'] !== json || typeof text !== 'string') throw unknownBody;
  const at = text.indexOf(noRecords) + noRecords.length - 1;
  if (at < noRecords.length) throw unknownBody;
  const before = text.slice(0, at);
  const after = text.slice(at);
  const ends = records.map(endOf);
  let bytes = Buffer.byteLength(before) + Buffer.byteLength(after) + Math.max(0, records.length - 1);
  for (const [index, { Data }] of records.entries()) {
    bytes += start.length + base64Bytes(Data?.length ?? 0) + Buffer.byteLength(ends[index] as string);
  }
  const out = Buffer.allocUnsafe(bytes);
  let end = out.write(before);
  for (const [index, { Data }] of records.entries()) {
    if (index > 0) end += out.write(',', end, 'latin1');
    end += out.write(start, end, 'latin1');
    if (Data !== undefined) end += out.write(asBuffer(Data).toString('base64'), end, 'latin1');
    end += out.write(ends[index] as string, end);
  }
  out.write(after, end);
  return out;
}

/** What is behind the data of a record. */
function endOf({ PartitionKey = '', ExplicitHashKey }: PutRecordsRequestEntry): string {
  const key = `","PartitionKey":${JSON.stringify(PartitionKey)}`;
  return ExplicitHashKey === undefined ? `${key}}` : `${key},"ExplicitHashKey":${JSON.stringify(ExplicitHashKey)}}`;
}

function base64Bytes(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** The same bytes: what the SDK makes has methods of its own under the names of those of a Buffer. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
