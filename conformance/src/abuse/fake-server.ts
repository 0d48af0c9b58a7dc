import { openSync } from 'node:fs';
import http from 'node:http';

/** What is wrong with it; `sound` is nothing. */
export type Flaw =
  | 'sound'
  | 'internal failure'
  | 'accepts all'
  | 'misshapen error'
  | 'wrong type'
  | 'hangs'
  | 'leaks memory'
  | 'leaks files'
  | 'slow'
  | 'complains'
  | 'dies';

const slowMs = 1500;
const leakBytes = 512 * 1024;
const contentType = 'application/x-amz-json-1.1';
const leaked: unknown[] = [];

/** Answers as a server would, to good requests (`{}`) and to bad ones, but for one flaw. */
function answer(flaw: Flaw, isGood: boolean): { status: number; body: string } {
  const refusal = (type: string): { status: number; body: string } => ({
    status: 400,
    body: JSON.stringify({ __type: type }),
  });
  if (isGood || flaw === 'accepts all') return { status: 200, body: '{}' };
  if (flaw === 'internal failure') return { status: 500, body: '{"__type":"InternalFailure"}' };
  if (flaw === 'misshapen error') return { status: 400, body: '<html>Bad Request</html>' };
  return refusal(flaw === 'wrong type' ? 'ValidationException' : 'SerializationException');
}

function misbehave(flaw: Flaw): void {
  if (flaw === 'leaks memory') leaked.push(Buffer.alloc(leakBytes, 1));
  if (flaw === 'leaks files') openSync('/dev/null', 'r');
  if (flaw === 'complains') process.stderr.write('an error\n');
  if (flaw === 'dies') process.exit(1);
}

const flaw = process.argv[2] as Flaw;
const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const isGood = Buffer.concat(chunks).toString() === '{}';
    if (!isGood) misbehave(flaw);
    if (!isGood && flaw === 'hangs') return;
    const { status, body } = answer(flaw, isGood);
    const headers = {
      'content-type': contentType,
      'content-length': body.length,
      'x-amzn-requestid': '01234567-89ab-cdef-0123-456789abcdef',
    };
    const send = (): unknown => response.writeHead(status, headers).end(body);
    if (flaw === 'slow') setTimeout(send, slowMs);
    else send();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`endpoint http://127.0.0.1:${(server.address() as { port: number }).port}\n`);
});
