import { type FileHandle, open } from 'node:fs/promises';
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

/** Whether a letter has been written, and if not, why. */
export interface LetterOutcome {
  readonly isDeadLettered: boolean;
  readonly cause?: unknown;
}

/** Resolves with those that could not be written, each with the reason; rejects when none could. */
type Write = (errors: readonly PutError[]) => Promise<ReadonlyMap<PutError, unknown>>;

interface Waiting {
  readonly error: PutError;
  /** Called once. */
  readonly done: (outcome: LetterOutcome) => void;
}

const none: ReadonlyMap<PutError, unknown> = new Map();

/** Writes dead letters, one batch after the other; what comes meanwhile is the next. */
export class DeadLetterWriter {
  readonly #write: Write;
  readonly #abort = new AbortController();
  #writing: Waiting[] = [];
  #waiting: Waiting[] = [];
  #isWriting = false;

  /** @param callsOf   for a stream of dead letters */
  constructor(letters: DeadLetters, callsOf: (stream: string) => KinesisCalls) {
    if (typeof letters === 'function') this.#write = (errors) => Promise.resolve(letters(errors)).then(() => none);
    else if ('file' in letters) this.#write = (errors) => appendTo(letters.file, errors).then(() => none);
    else {
      const calls = callsOf(letters.stream);
      this.#write = (errors) => putInto(calls, errors, this.#abort.signal);
    }
  }

  add(error: PutError, done: (outcome: LetterOutcome) => void): void {
    if (this.#abort.signal.aborted) return done(closed());
    this.#waiting.push({ error, done });
    if (!this.#isWriting) void this.#run();
  }

  /** Nothing is waited for any more, not even for what is being written. */
  abort(): void {
    this.#abort.abort();
    for (const { done } of [...this.#writing.splice(0), ...this.#waiting.splice(0)]) done(closed());
  }

  async #run(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      this.#writing = this.#waiting;
      this.#waiting = [];
      const outcomes = await this.#outcomesOf(this.#writing.map(({ error }) => error));
      for (const { error, done } of this.#writing.splice(0)) done(outcomes(error));
    }
    this.#isWriting = false;
  }

  async #outcomesOf(errors: readonly PutError[]): Promise<(error: PutError) => LetterOutcome> {
    try {
      const failed = await this.#write(errors);
      return (error) =>
        failed.has(error) ? { isDeadLettered: false, cause: failed.get(error) } : { isDeadLettered: true };
    } catch (cause) {
      return () => ({ isDeadLettered: false, cause });
    }
  }
}

function closed(): LetterOutcome {
  return { isDeadLettered: false, cause: new Error('the producer was closed before the dead letter was written') };
}

function letterOf({ code, message, attempts, record }: PutError): DeadLetter {
  const { partitionKey, explicitHashKey } = record;
  const data = Buffer.from(record.data).toString('base64');
  return { code, message, time: new Date().toISOString(), attempts, partitionKey, explicitHashKey, data };
}

/** Synced before it counts as written. */
async function appendTo(path: string, errors: readonly PutError[]): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const lines = errors.map((error) => `${JSON.stringify(letterOf(error))}\n`).join('');
    await file.appendFile((await endsInMidLine(file)) ? `\n${lines}` : lines);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A crash, or a full disk, may have left a part of a line. */
async function endsInMidLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}

const callRecordsMax = 500;
const callBytesMax = 4 * 1024 * 1024;
const attemptsMax = 3;

interface Letter {
  readonly error: PutError;
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
}

async function putInto(
  calls: KinesisCalls,
  errors: readonly PutError[],
  signal: AbortSignal,
): Promise<ReadonlyMap<PutError, unknown>> {
  let failed = new Map<PutError, unknown>();
  let letters = errors.map((error): Letter => {
    const { partitionKey, explicitHashKey } = error.record;
    return { error, data: Buffer.from(JSON.stringify(letterOf(error))), partitionKey, explicitHashKey };
  });
  for (let attempt = 1; letters.length > 0 && attempt <= attemptsMax && !signal.aborted; attempt++) {
    failed = new Map();
    // After the first attempt each goes alone: one that is too long must not keep the others.
    for (const call of attempt === 1 ? inCalls(letters) : letters.map((letter) => [letter])) {
      for (const [error, reason] of await putCall(calls, call, signal)) failed.set(error, reason);
    }
    letters = letters.filter(({ error }) => failed.has(error));
  }
  return failed;
}

async function putCall(
  calls: KinesisCalls,
  call: readonly Letter[],
  signal: AbortSignal,
): Promise<Array<[PutError, unknown]>> {
  try {
    const results = await calls.putRecords(call, signal);
    return call.flatMap(({ error }, index) => {
      const result = results[index];
      if (result?.isPut === true) return [];
      return [[error, new Error(result === undefined ? 'there was no result' : `${result.code}: ${result.message}`)]];
    });
  } catch (reason) {
    return call.map(({ error }) => [error, reason]);
  }
}

function inCalls(letters: readonly Letter[]): Letter[][] {
  const calls: Letter[][] = [];
  let bytes = 0;
  for (const letter of letters) {
    const last = calls.at(-1);
    if (last === undefined || last.length >= callRecordsMax || bytes + letter.data.length > callBytesMax) {
      calls.push([letter]);
      bytes = 0;
    } else last.push(letter);
    bytes += letter.data.length + 256;
  }
  return calls;
}
