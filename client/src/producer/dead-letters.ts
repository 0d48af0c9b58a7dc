import { open } from 'node:fs/promises';
import type { UserRecord } from '../aggregation/index.ts';
import { InvalidArgumentError } from '../errors.ts';
import type { KinesisCalls } from './calls.ts';
import type { Attempt, PutError } from './ticket.ts';

/** Where records go that could not be put: lines of a file, a stream, or whoever takes them. Lines and stream records are {@link DeadLetter}s. */
export type DeadLetters =
  | { readonly file: string }
  | { readonly stream: string }
  | ((errors: readonly PutError[]) => Promise<void> | void);

/** What a dead letter says, as JSON. */
export interface DeadLetter {
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly time: string;
  readonly attempts: readonly Attempt[];
  readonly partitionKey: string;
  readonly explicitHashKey?: string | undefined;
  /** Base64. */
  readonly data: string;
}

/** The record in a dead letter, to be put again. @throws InvalidArgumentError when the text is none */
export function readDeadLetter(json: string): UserRecord & { readonly letter: DeadLetter } {
  let letter: Partial<DeadLetter> | null;
  try {
    letter = JSON.parse(json) as Partial<DeadLetter> | null;
  } catch {
    letter = null;
  }
  const { partitionKey, explicitHashKey, data } = letter ?? {};
  if (typeof partitionKey !== 'string' || typeof data !== 'string')
    throw new InvalidArgumentError('this is no dead letter');
  return { partitionKey, explicitHashKey, data: Buffer.from(data, 'base64'), letter: letter as DeadLetter };
}

type Write = (errors: readonly PutError[]) => Promise<void> | void;

interface Waiting {
  readonly error: PutError;
  readonly done: (cause?: unknown) => void;
}

/** Writes dead letters, one batch after the other; what comes meanwhile is the next. */
export class DeadLetterWriter {
  readonly #write: Write;
  #waiting: Waiting[] = [];
  #isWriting = false;

  /** @param callsOf   for a stream of dead letters */
  constructor(letters: DeadLetters, callsOf: (stream: string) => KinesisCalls) {
    if (typeof letters === 'function') this.#write = letters;
    else if ('file' in letters) this.#write = (errors) => appendTo(letters.file, errors);
    else {
      const calls = callsOf(letters.stream);
      this.#write = (errors) => putInto(calls, errors);
    }
  }

  /** @param done   called when it has been written, or with the reason why it has not */
  add(error: PutError, done: (cause?: unknown) => void): void {
    this.#waiting.push({ error, done });
    if (!this.#isWriting) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      let cause: unknown;
      try {
        await this.#write(batch.map(({ error }) => error));
      } catch (error) {
        cause = error;
      }
      for (const { done } of batch) done(cause);
    }
    this.#isWriting = false;
  }
}

function letterOf({ code, message, attempts, record }: PutError): DeadLetter {
  const { partitionKey, explicitHashKey } = record;
  const data = Buffer.from(record.data).toString('base64');
  return { code, message, time: new Date().toISOString(), attempts, partitionKey, explicitHashKey, data };
}

/** Synced before it counts as written. */
async function appendTo(path: string, errors: readonly PutError[]): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.writeFile(errors.map((error) => `${JSON.stringify(letterOf(error))}\n`).join(''));
    await file.datasync();
  } finally {
    await file.close();
  }
}

const callRecordsMax = 500;
const callBytesMax = 4 * 1024 * 1024;
const attemptsMax = 3;

async function putInto(calls: KinesisCalls, errors: readonly PutError[]): Promise<void> {
  let entries = errors.map((error) => ({
    data: Buffer.from(JSON.stringify(letterOf(error))),
    partitionKey: error.record.partitionKey,
    explicitHashKey: error.record.explicitHashKey,
  }));
  for (let attempt = 1; entries.length > 0; attempt++) {
    const failed: typeof entries = [];
    let reason = '';
    for (const call of inCalls(entries)) {
      const results = await calls.putRecords(call, new AbortController().signal);
      for (const [index, result] of results.entries()) {
        if (result.isPut) continue;
        reason = `${result.code}: ${result.message}`;
        failed.push(call[index] as (typeof entries)[number]);
      }
    }
    if (failed.length > 0 && attempt === attemptsMax) throw new Error(`dead letters could not be put: ${reason}`);
    entries = failed;
  }
}

function inCalls<Entry extends { readonly data: Uint8Array }>(entries: readonly Entry[]): Entry[][] {
  const calls: Entry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const last = calls.at(-1);
    if (last === undefined || last.length >= callRecordsMax || bytes + entry.data.length > callBytesMax) {
      calls.push([entry]);
      bytes = 0;
    } else last.push(entry);
    bytes += entry.data.length + 256;
  }
  return calls;
}
