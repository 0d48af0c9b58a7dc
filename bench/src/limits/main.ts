import { createHash } from 'node:crypto';
import { openSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createBareServer } from 'node:net';
import { CommitGroup } from './commit-group.ts';

/**
 * What plain Node can do with the same put bodies, step by step: `echo` answers whatever a socket brings, unread; `receive` reads the body and answers; `parse` adds
 * JSON.parse; `memory` adds base64, MD5 of each key and a full answer; `durable` adds an append and one fdatasync for
 * each group of waiting calls. None is a Kinesis server: no validation, no shard map, no index, no reads.
 *
 * Arguments: mode, port, file.
 */
type Mode = 'echo' | 'receive' | 'parse' | 'memory' | 'durable';

interface PutEntry {
  readonly Data: string;
  readonly PartitionKey: string;
}

const [mode, port, path] = process.argv.slice(2) as [Mode, string, string];
const emptyAnswer = Buffer.from('{"FailedRecordCount":0,"Records":[]}');
const group = mode === 'durable' ? new CommitGroup(openSync(path, 'w')) : undefined;

const server =
  mode === 'echo'
    ? createBareServer({ noDelay: true }, (socket) => {
        const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${emptyAnswer.length}\r\n\r\n${emptyAnswer.toString()}`;
        socket.on('data', () => socket.write(answer, 'latin1'));
        socket.on('error', () => socket.destroy());
      })
    : createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => handle(chunks, response));
      });
server.listen(Number(port), '127.0.0.1');

function handle(chunks: Buffer[], response: ServerResponse): void {
  if (mode === 'receive') return reply(response, emptyAnswer);
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  const input = JSON.parse(body.toString()) as PutEntry | { readonly Records: readonly PutEntry[] };
  if (mode === 'parse') return reply(response, emptyAnswer);
  const { data, answer } = store('Records' in input ? input.Records : [input]);
  if (group === undefined) return reply(response, answer);
  group.append(Buffer.concat(data), () => reply(response, answer));
}

function store(entries: readonly PutEntry[]): { data: Buffer[]; answer: Buffer } {
  const data: Buffer[] = [];
  const Records: { SequenceNumber: string; ShardId: string }[] = [];
  for (let i = 0; i < entries.length; i++) {
    const { Data, PartitionKey } = entries[i] as PutEntry;
    const hash = createHash('md5').update(PartitionKey).digest();
    data.push(Buffer.from(Data, 'base64'));
    Records.push({
      SequenceNumber: `4954${String(i).padStart(52, '0')}`,
      ShardId: `shardId-00000000000${(hash[0] as number) >> 6}`,
    });
  }
  return { data, answer: Buffer.from(JSON.stringify({ FailedRecordCount: 0, Records })) };
}

function reply(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': body.length,
    'x-amzn-RequestId': '00000000-0000-0000-0000-000000000000',
  });
  response.end(body);
}
