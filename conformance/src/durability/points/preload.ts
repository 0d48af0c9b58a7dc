import fs, { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { stepOf, type Armed } from './steps.ts';

/*
 * Loaded into a server before its own code (`node --import`). Names every step that changes the data folder, and ends the process with
 * SIGKILL at one of them. The server knows nothing of it.
 *
 * FAULT_ROOT   the data folder
 * FAULT_FILE   what to end at, as JSON (see `Armed`); read at the start and at each SIGUSR2, and counted from then on
 * FAULT_COUNTS where the steps met are written at the end
 */

const root = process.env['FAULT_ROOT'] ?? '';
const armedFile = process.env['FAULT_FILE'] ?? '';
const countsFile = process.env['FAULT_COUNTS'];
const counts: Record<string, number> = {};
const paths = new Map<number, string>();
/** Journal files whose newest write only filled them. */
const filled = new Set<number>();
let armed: Armed | undefined;

function arm(): void {
  armed = existsSync(armedFile) ? (JSON.parse(readFileSync(armedFile, 'utf8')) as Armed) : undefined;
}

function at(step: string | undefined, moment: Armed['moment']): boolean {
  if (step === undefined) return false;
  if (moment === 'before') counts[step] = (counts[step] ?? 0) + 1;
  if (armed?.step !== step || armed.moment !== moment || --armed.countdown > 0) return false;
  return true;
}

function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

type Callback = (error: NodeJS.ErrnoException | null, ...rest: unknown[]) => void;

/** Replaces a function that calls back; `step` names the call, or does not. */
function wrap(name: 'fdatasync' | 'ftruncate' | 'open' | 'write', step: (args: unknown[]) => string | undefined): void {
  const original = fs[name] as (...args: unknown[]) => void;
  const replaced = (...args: unknown[]): void => {
    const called = step(args);
    if (at(called, 'before')) end();
    if (at(called, 'inside')) {
      const [fd, bytes, from, length, position] = args as [number, Uint8Array, number, number, number];
      fs.writeSync(fd, bytes, from, Math.ceil(length / 2), position);
      end();
    }
    const back = args.pop() as Callback;
    original(...args, ((error, ...rest) => {
      if (name === 'open' && error === null) paths.set(rest[0] as number, String(args[0]));
      if (error === null && at(called, 'after')) end();
      back(error, ...rest);
    }) satisfies Callback);
  };
  Object.assign(fs, { [name]: replaced });
}

function wrapPromise(name: 'mkdir' | 'rename' | 'rm', step: (path: string) => string | undefined): void {
  const original = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
  const replaced = async (...args: unknown[]): Promise<unknown> => {
    const called = step(String(args[name === 'rename' ? 1 : 0]));
    if (at(called, 'before')) end();
    const result = await original(...args);
    if (at(called, 'after')) end();
    return result;
  };
  Object.assign(fs.promises, { [name]: replaced });
}

const ofFile = (verb: string, fd: unknown): string | undefined => stepOf(root, verb, paths.get(fd as number));

wrap('open', ([path, flags]) => {
  const creates = ((flags as number) & fs.constants.O_CREAT) !== 0 && !existsSync(String(path));
  return creates ? stepOf(root, 'create', String(path)) : undefined;
});
wrap('write', ([fd, bytes, from]) => {
  const step = ofFile('write', fd);
  if (step !== 'write journal file') return step;
  // A frame begins with its magic number.
  const isFill = (bytes as Uint8Array)[from as number] === 0;
  if (isFill) filled.add(fd as number);
  else filled.delete(fd as number);
  return isFill ? 'fill journal file' : 'write commit';
});
wrap('fdatasync', ([fd]) => {
  const step = ofFile('sync', fd);
  if (step !== 'sync journal file') return step;
  return filled.has(fd as number) ? 'sync filled journal file' : 'sync commit';
});
wrap('ftruncate', ([fd]) => ofFile('truncate', fd));
wrapPromise('rename', (path) => stepOf(root, 'rename', path));
wrapPromise('rm', (path) => (existsSync(path) ? stepOf(root, 'remove', path) : undefined));
wrapPromise('mkdir', (path) => (existsSync(path) ? undefined : stepOf(root, 'make', path)));

const openHandle = fs.promises.open;
fs.promises.open = async (...args) => {
  const handle = await openHandle(...args);
  const sync = handle.sync.bind(handle);
  const step = stepOf(root, 'sync', String(args[0]));
  handle.sync = async () => {
    if (at(step, 'before')) end();
    await sync();
    if (at(step, 'after')) end();
  };
  return handle;
};

arm();
process.on('SIGUSR2', arm);
process.on('exit', () => {
  if (countsFile !== undefined) writeFileSync(countsFile, JSON.stringify(counts));
});
