import type { WireError } from '../../model/index.ts';
import type { ByteWriter, Encoded } from '../codec/byte-writer.ts';
import { writeHead, writeText } from '../codec/cbor-writer.ts';
import { writeString } from '../codec/json-writer.ts';
import type { Encoding } from './service-table.ts';

/** Content type of a body, which the answer repeats. */
export const contentTypes: Readonly<Record<Encoding, string>> = {
  json: 'application/x-amz-json-1.1',
  cbor: 'application/x-amz-cbor-1.1',
};

/** Errors of requests whose encoding is not known are XML without a content type. Source: recorded, reference §1.5. */
export const accessDeniedXml: Buffer = Buffer.from(
  '<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n',
);
export const unknownOperationXml: Buffer = Buffer.from('<UnknownOperationException/>\n');

/** Answer to a body of the older type `application/json`, which never reaches an operation. Source: recorded, reference §1.5. */
export function deprecatedJson(code: 'UnknownOperationException' | 'SerializationException'): Buffer {
  return Buffer.from(JSON.stringify({ Output: { __type: `com.amazon.coral.service#${code}` }, Version: '1.0' }));
}

/** The body of an error: `__type`, and the message under the error's own spelling unless it is empty. */
export function encodeError(out: ByteWriter, error: WireError, encoding: Encoding): Encoded {
  out.reset();
  const { code, message, messageMember } = error;
  if (encoding === 'json') {
    out.ascii('{"__type":');
    writeString(out, code);
    if (message !== '') {
      out.ascii(`,"${messageMember}":`);
      writeString(out, message);
    }
    out.ascii('}');
  } else {
    writeHead(out, 0xa0, message === '' ? 1 : 2);
    writeText(out, '__type');
    writeText(out, code);
    if (message !== '') {
      writeText(out, messageMember);
      writeText(out, message);
    }
  }
  return out.finish();
}
