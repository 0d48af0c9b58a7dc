import { KinesisClient, PutRecordsCommand, type PutRecordsCommandInput } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { writeBodyNatively } from './put-records-body.ts';

interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Where calls end. */
const sent: Sent[] = [];
const client = new KinesisClient({
  region: 'us-east-1',
  endpoint: 'http://127.0.0.1:1',
  credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  maxAttempts: 1,
  requestHandler: {
    handle: (request: unknown) => {
      sent.push(request as Sent);
      return Promise.reject(new Error('sent'));
    },
  },
});

async function bodyOf(command: PutRecordsCommand): Promise<string> {
  await expect(client.send(command)).rejects.toThrow('sent');
  const { headers, body } = sent.at(-1) as Sent;
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body as Uint8Array);
  expect(headers['content-length']).toBe(String(bytes.length));
  return bytes.toString();
}

const record = fc.record({
  Data: fc.uint8Array({ maxLength: 70 }),
  PartitionKey: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', '"\\\u0001\n', '\ud800', 'ÿ', '€')),
  ExplicitHashKey: fc.option(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(String), { nil: undefined }),
});
const input = fc.oneof(
  fc.record({ StreamName: fc.constantFrom('orders', 'Records'), Records: fc.array(record) }),
  fc.record({ StreamARN: fc.constant('arn:aws:kinesis:us-east-1:1:stream/x'), Records: fc.array(record) }),
);

it('writes what the SDK writes', async () => {
  await fc.assert(
    fc.asyncProperty(input, async (call) => {
      const [theirs, ours] = [new PutRecordsCommand(call), writeBodyNatively(new PutRecordsCommand(call))];
      const [wanted, found] = [await bodyOf(theirs), await bodyOf(ours)];
      expect(JSON.parse(found)).toEqual(JSON.parse(wanted));
    }),
    { numRuns: 200 },
  );
});

it('takes the bytes of the data only, wherever they lie', async () => {
  const bytes = new Uint8Array(64).map((_, i) => i);
  const Records = [{ Data: bytes.subarray(5, 9), PartitionKey: 'k' }];
  const body = await bodyOf(writeBodyNatively(new PutRecordsCommand({ StreamName: 's', Records })));
  expect(body).toContain(`"${Buffer.from([5, 6, 7, 8]).toString('base64')}"`);
});

it('leaves the records to middleware, and writes what that makes of them', async () => {
  const seen: unknown[] = [];
  const command = writeBodyNatively(new PutRecordsCommand(aCall()));
  command.middlewareStack.add(
    (next) => (args) => {
      seen.push(args.input);
      const Records = args.input.Records?.map((each) => ({ ...each, Data: Buffer.from('sealed') }));
      return next({ ...args, input: { ...args.input, Records } });
    },
    { step: 'initialize' },
  );
  const body = await bodyOf(command);
  expect(seen).toEqual([aCall()]);
  expect(body).toContain(Buffer.from('sealed').toString('base64'));
  expect(body).not.toContain(Buffer.from('one').toString('base64'));
});

it.each([
  ['another format', { headers: { 'content-type': 'application/cbor' } }],
  ['a body without records', { body: '{}' }],
])('lets go as it is: %s', async (_, change) => {
  const command = writeBodyNatively(new PutRecordsCommand(aCall()));
  const written: unknown[] = [];
  command.middlewareStack.add(
    (next) => (args) => {
      Object.assign(args.request as object, change);
      written.push((args.input as PutRecordsCommandInput).Records?.length);
      return next(args);
    },
    { step: 'serialize', priority: 'low' },
  );
  const body = await bodyOf(command);
  expect(written).toEqual([0, 1]);
  if (!('body' in change)) expect(body).toContain('"PartitionKey":"k"');
});

function aCall(): PutRecordsCommandInput {
  return { StreamName: 's', Records: [{ Data: Buffer.from('one'), PartitionKey: 'k' }] };
}
