import type { JournalWrite, Sync, Trace } from './trace.ts';

/** A call that was answered with 200, and how its bytes are known in the journal. */
export interface AnsweredCall {
  readonly operation: string;
  /** In the answer as it was written to the socket: a request id, or a sequence number. */
  readonly answerMark: string;
  /** In the journal: all of them. Empty for a call that changes nothing. */
  readonly marks: readonly string[];
}

export interface Proof {
  readonly violations: string[];
  readonly provenCalls: number;
  /** The syncs that calls were answered on, each once. */
  readonly neededSyncs: readonly Sync[];
  readonly neededWrites: readonly JournalWrite[];
}

const violationsMax = 20;

/**
 * Proves from a trace that each answer follows a sync of the journal file that succeeded, that began when the write of the call's bytes had
 * been done, and that was the first one behind that write: one that failed is not made good by another.
 */
export function prove(trace: Trace, calls: readonly AnsweredCall[]): Proof {
  const violations: string[] = [];
  const violate = (sentence: string): void => void (violations.length < violationsMax && violations.push(sentence));
  const written = marksOf(trace);
  const answers = answersOf(trace, calls);
  const syncs = new Set<Sync>();
  const writes = new Set<JournalWrite>();
  let provenCalls = 0;
  for (const { operation, answerMark, marks } of calls) {
    const answeredAt = answers.get(answerMark);
    if (answeredAt === undefined) {
      violate(`the answer ${answerMark} to ${operation} is not in the trace`);
      continue;
    }
    const before = violations.length;
    for (const mark of marks) {
      const write = written.get(mark);
      const sync = write && trace.syncs.find(({ path, begun }) => path === write.path && begun > write.done);
      const failure = failureOf(write, sync, answeredAt);
      if (failure !== undefined)
        violate(`${operation} was answered (line ${answeredAt}), and the write of ${mark} ${failure}`);
      if (write !== undefined) writes.add(write);
      if (sync !== undefined) syncs.add(sync);
    }
    if (violations.length === before) provenCalls++;
  }
  for (const id of unknownAnswers(trace, calls)) violate(`the answer ${id} with 200 belongs to no call that was made`);
  return { violations, provenCalls, neededSyncs: [...syncs], neededWrites: [...writes] };
}

function failureOf(write: JournalWrite | undefined, sync: Sync | undefined, answeredAt: number): string | undefined {
  if (write === undefined) return 'is not in the trace';
  if (!write.isWhole) return `(line ${write.begun}) was not whole`;
  if (write.done > answeredAt) return `was done later, in line ${write.done}`;
  if (sync === undefined) return `(line ${write.done}) was not synced`;
  if (sync.result !== 0) return `(line ${write.done}) was synced in line ${sync.begun}, which failed`;
  return sync.done < answeredAt ? undefined : `(line ${write.done}) was synced later, by line ${sync.done}`;
}

const recordMark = /mark-\d{8}-end/g;
const command = /\{\\"domain\\":\\"streams\\".*?\\"kind\\":\\"([a-z-]+)\\",(.*?)(?=\{\\"domain\\"|$)/gs;

/** The first journal write that holds each mark. Commands whose text names no stream are known by their number. */
function marksOf({ writes }: Trace): Map<string, JournalWrite> {
  const found = new Map<string, JournalWrite>();
  const note = (mark: string, write: JournalWrite): void => void (found.has(mark) || found.set(mark, write));
  const names: string[] = [];
  for (const write of writes) {
    for (const [mark] of write.text.matchAll(recordMark)) note(mark, write);
    for (const [, kind, rest] of write.text.matchAll(command) as Iterable<[string, string, string]>) {
      const incarnation = Number(/\\"incarnation\\":(\d+)/.exec(rest)?.[1]);
      // A stream made has the next incarnation: the folder was new.
      if (kind === 'create') names.push(/\\"name\\":\\"([^\\]+)\\"/.exec(rest)?.[1] as string);
      if (kind === 'delete') note(deletionMark(names[incarnation - 1] as string), write);
      if (kind === 'set-retention') note(retentionMark(Number(/\\"hours\\":(\d+)/.exec(rest)?.[1])), write);
    }
  }
  return found;
}

/** How the deletion of a stream is known in the journal. */
export function deletionMark(name: string): string {
  return `deletion of ${name}`;
}

/** How the one call with this retention is known in the journal. */
export function retentionMark(hours: number): string {
  return `retention of ${hours} hours`;
}

/** The line in which each answer was written first. */
function answersOf({ answers }: Trace, calls: readonly AnsweredCall[]): Map<string, number> {
  const wanted = new Set(calls.map(({ answerMark }) => answerMark));
  const found = new Map<string, number>();
  for (const { begun, text } of answers) {
    for (const mark of answerMarksIn(text)) if (wanted.has(mark) && !found.has(mark)) found.set(mark, begun);
  }
  return found;
}

/** Whatever may be a request id or a sequence number; a length in front of a number can look like more digits. */
function* answerMarksIn(text: string): Generator<string> {
  for (const [id] of text.matchAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)) yield id;
  for (const [digits] of text.matchAll(/\d{56,}/g)) {
    for (let at = 0; at + 56 <= digits.length; at++) yield digits.slice(at, at + 56);
  }
}

/** Request ids of HTTP/1.1 answers with 200 that no call knows. */
function unknownAnswers({ answers }: Trace, calls: readonly AnsweredCall[]): string[] {
  const known = new Set(calls.map(({ answerMark }) => answerMark));
  const unknown: string[] = [];
  for (const { text } of answers) {
    const id = /HTTP\/1\.1 200 .*?x-amzn-RequestId: ([0-9a-f-]{36})/s.exec(text)?.[1];
    if (id !== undefined && ![...answerMarksIn(text)].some((mark) => known.has(mark))) unknown.push(id);
  }
  return unknown;
}
