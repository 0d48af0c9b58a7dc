import type { Deadline } from '../deadline.ts';
import type { DeadLetter } from '../dead-letters/letter.ts';
import { appendLetters, putLetters } from '../dead-letters/places.ts';
import type { KinesisCalls } from './calls.ts';
import type { PutError } from './ticket.ts';

/** Where records go that could not be put: lines of a file, a stream, or whoever takes them. Lines and stream records are {@link DeadLetter}s. */
export type DeadLetters =
  | { readonly file: string }
  | { readonly stream: string }
  | ((errors: readonly PutError[]) => Promise<void> | void);

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
  constructor(
    letters: DeadLetters,
    { callsOf, timing, timeoutMs }: Omit<Deadline, 'signal'> & { readonly callsOf: (stream: string) => KinesisCalls },
  ) {
    if (typeof letters === 'function') this.#write = (errors) => Promise.resolve(letters(errors)).then(() => none);
    else if ('file' in letters) {
      this.#write = (errors) => appendLetters(letters.file, errors.map(letterOf)).then(() => none);
    } else {
      const calls = callsOf(letters.stream);
      this.#write = async (errors) => {
        const failed = await putLetters(calls, errors.map(letterOf), { timing, timeoutMs, signal: this.#abort.signal });
        return new Map([...failed].map(([index, reason]) => [errors[index] as PutError, reason]));
      };
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
