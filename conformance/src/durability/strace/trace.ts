/** A write to a journal file. Lines count the trace's lines: what began in a later line began later. */
export interface JournalWrite {
  readonly path: string;
  readonly begun: number;
  done: number;
  isWhole: boolean;
  readonly wantedBytes: number;
  /** The bytes as strace prints them; cut short when they were too many. */
  readonly text: string;
}

export interface Sync {
  readonly path: string;
  readonly begun: number;
  done: number;
  /** Undefined: it never came back. */
  result: number | undefined;
}

/** A write to a socket. */
export interface SocketWrite {
  readonly begun: number;
  readonly text: string;
}

export interface Trace {
  readonly writes: JournalWrite[];
  readonly syncs: Sync[];
  readonly answers: SocketWrite[];
}

export const tracedCalls =
  'pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fdatasync,fsync,sync_file_range,msync';

const callStart = /^(\d+) +(\w+)\((\d+)<([^>]*)>/;
const callResumed = /^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)/s;
const result = /\) += (-?\d+)(?: [A-Z]\w*.*)?$/s;

/** Whether a line of strace's output matters to {@link readTrace}. */
export function isOfInterest(line: string): boolean {
  return !/^\d+ +p?writev?(64)?\(\d+<(anon_inode|pipe|\/(?![^>]*\/journal\/))/.test(line);
}

/** Reads what `strace -f -y` printed: entry and return of each call, in the order in which the kernel came by. */
export function readTrace(lines: Iterable<string>): Trace {
  const trace: Trace = { writes: [], syncs: [], answers: [] };
  const open = new Map<string, JournalWrite | Sync>();
  let number = 0;
  for (const line of lines) {
    number++;
    const resumed = callResumed.exec(line);
    if (resumed !== null) {
      const key = `${resumed[1]} ${resumed[2]}`;
      finish(open.get(key), number, Number(resumed[3]));
      open.delete(key);
      continue;
    }
    const start = callStart.exec(line);
    if (start === null) continue;
    const [head, thread, call, , path] = start as unknown as [string, string, string, string, string];
    const begun = begin(trace, { call, path, rest: line.slice(head.length), number });
    if (begun === undefined) continue;
    if (line.endsWith('<unfinished ...>')) open.set(`${thread} ${call}`, begun);
    else finish(begun, number, Number(result.exec(line)?.[1] ?? -1));
  }
  return trace;
}

function begin(
  trace: Trace,
  { call, path, rest, number }: { call: string; path: string; rest: string; number: number },
): JournalWrite | Sync | undefined {
  if (call.includes('sync')) {
    const sync: Sync = { path, begun: number, done: Infinity, result: undefined };
    trace.syncs.push(sync);
    return sync;
  }
  if (path.startsWith('socket:') || path.startsWith('TCP')) {
    trace.answers.push({ begun: number, text: rest });
    return undefined;
  }
  if (!path.includes('/journal/')) return undefined;
  const wanted = /, (\d+), \d+(?:\) += | <unfinished)/.exec(rest.slice(-80))?.[1];
  const write = {
    path,
    begun: number,
    done: Infinity,
    isWhole: false,
    wantedBytes: Number(wanted ?? Number.NaN),
    text: rest,
  };
  trace.writes.push(write);
  return write;
}

function finish(event: JournalWrite | Sync | undefined, number: number, returned: number): void {
  if (event === undefined) return;
  event.done = number;
  if ('result' in event) event.result = returned;
  else event.isWhole = returned === event.wantedBytes;
}
