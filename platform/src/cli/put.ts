import { PutRecordsCommand, type KinesisClient, type PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../kernel/clock.ts';
import { clientFlags, connect } from './client.ts';
import { clientFlagsHelp, columns } from './help.ts';
import { parseCommand, UsageError } from './usage.ts';

const recordsMax = 500;
const callBytesMax = 5 * 1024 * 1024;
const attemptsMax = 10;

const help = (): string => `millrace put STREAM: put the lines of stdin as records

${columns([['--key-field NAME', 'partition key from this field of each line, which is then JSON; keeps the order of a key']])}${clientFlagsHelp}
Without --key-field the records spread evenly over the shards.
`;

/** `millrace put`: one record a line, 500 a call. */
export async function put(args: string[]): Promise<void> {
  const parsed = parseCommand(args, { ...clientFlags, 'key-field': { type: 'string' } }, help, 1);
  if (parsed === undefined) return;
  const [streamName] = parsed.positionals;
  if (streamName === undefined) throw new UsageError('put takes the name of a stream');
  const keyField = parsed.values['key-field'] as string | undefined;
  const client = connect(parsed.values);
  const progress = new Progress();
  // With keys one call at a time keeps their order; without there is none to keep.
  const sender = new Sender(client, streamName, keyField === undefined ? 4 : 1, progress);
  let batch: PutRecordsRequestEntry[] = [];
  let bytes = 0;
  let lineNumber = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    lineNumber++;
    const Data = Buffer.from(line);
    const PartitionKey = keyField === undefined ? String(lineNumber) : keyOf(line, keyField, lineNumber);
    if (batch.length === recordsMax || bytes + Data.length > callBytesMax) {
      await sender.send(batch);
      batch = [];
      bytes = 0;
    }
    batch.push({ Data, PartitionKey });
    bytes += Data.length + PartitionKey.length;
  }
  if (batch.length > 0) await sender.send(batch);
  await sender.drain();
  progress.finish();
  client.destroy();
}

function keyOf(line: string, field: string, lineNumber: number): string {
  let value: unknown;
  try {
    value = (JSON.parse(line) as Record<string, unknown> | null)?.[field];
  } catch {
    throw new Error(`line ${lineNumber} is not JSON; --key-field needs JSON lines`);
  }
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`line ${lineNumber} has no field "${field}" that could be a partition key`);
}

/** Keeps at most `callsMax` calls in flight; a record that is refused is sent again. */
class Sender {
  readonly #client: KinesisClient;
  readonly #streamName: string;
  readonly #callsMax: number;
  readonly #progress: Progress;
  readonly #calls = new Set<Promise<void>>();
  #failure: unknown;

  constructor(client: KinesisClient, streamName: string, callsMax: number, progress: Progress) {
    this.#client = client;
    this.#streamName = streamName;
    this.#callsMax = callsMax;
    this.#progress = progress;
  }

  async send(batch: readonly PutRecordsRequestEntry[]): Promise<void> {
    while (this.#calls.size >= this.#callsMax) await Promise.race(this.#calls);
    if (this.#failure !== undefined) throw this.#failure;
    const call = this.#put(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }

  async drain(): Promise<void> {
    await Promise.all(this.#calls);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #put(batch: readonly PutRecordsRequestEntry[]): Promise<void> {
    let rest = [...batch];
    for (let attempt = 1; rest.length > 0; attempt++) {
      const { Records = [] } = await this.#client.send(
        new PutRecordsCommand({ StreamName: this.#streamName, Records: rest }),
      );
      const failed = rest.filter((_, i) => Records[i]?.ErrorCode !== undefined);
      this.#progress.add(rest.length - failed.length);
      if (failed.length > 0) {
        const why = Records.find((each) => each.ErrorCode !== undefined);
        if (attempt === attemptsMax) throw new Error(`${failed.length} records were refused: ${why?.ErrorMessage}`);
        await sleep(Math.min(100 * 2 ** attempt, 2000));
      }
      rest = failed;
    }
  }
}

/** Count and rate on stderr, rewritten in place on a terminal. */
class Progress {
  #count = 0;
  readonly #startedMs = systemClock.monotonic();
  #toldMs = this.#startedMs;

  add(count: number): void {
    this.#count += count;
    const nowMs = systemClock.monotonic();
    if (!process.stderr.isTTY || nowMs - this.#toldMs < 200) return;
    this.#toldMs = nowMs;
    process.stderr.write(`\r${this.#text()}`);
  }

  finish(): void {
    process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${this.#text()}\n`);
  }

  #text(): string {
    const seconds = Math.max((systemClock.monotonic() - this.#startedMs) / 1000, 0.001);
    const rate = Math.round(this.#count / seconds);
    return `${this.#count.toLocaleString('en')} records in ${seconds.toFixed(1)} s (${rate.toLocaleString('en')}/s)`;
  }
}
