import type { Mutation } from './mutation.ts';

const committer = 'platform/src/log/committer.ts';
const embedded = 'platform/src/log/embedded.ts';
const maintenance = 'platform/src/log/maintenance.ts';
const recovery = 'platform/src/log/recovery.ts';
const segments = 'platform/src/log/segments.ts';
const faults = 'platform/src/log/faults.test.ts';

/** Every way to break the promise of durability that we could think of. A new rule of the engine brings its mutation. */
export const mutations: readonly Mutation[] = [
  {
    name: 'skip the sync of a commit',
    edits: [{ file: committer, from: 'await journal.sync();', to: '' }],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'skip the sync of segments before a checkpoint',
    edits: [{ file: segments, from: 'await file.sync();\n        } catch', to: '} catch' }],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'skip the sync of the checkpoint',
    edits: [
      {
        file: 'platform/src/log/checkpoint.ts',
        from: '    await file.sync();\n',
        to: '',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'acknowledge early',
    edits: [
      {
        file: committer,
        from: 'await journal.write(this.#encode(calls, length));',
        to: 'for (const call of calls) if (call instanceof WaitingAppend) call.resolve(call.outcomes);\nawait journal.write(this.#encode(calls, length));',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'visible before sync',
    edits: [
      {
        file: committer,
        from: 'await journal.sync();',
        to: 'for (const call of calls) if (call instanceof WaitingAppend) call.show();\nawait journal.sync();',
      },
      {
        file: committer,
        from: '  publish(): void {\n    let entryAt = 0;',
        to: '  show(): void {\n    let at = 0;\n    for (const batch of this.#batches) if (batch !== undefined) this.#state.publish(this.entries[at++] as FrameEntry, batch);\n  }\n\n  publish(): void {\n    let entryAt = 0;',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'recycle before the checkpoint is synced',
    edits: [
      {
        file: maintenance,
        from: 'await writeCheckpoint(this.#options.disk, {',
        to: 'await this.#options.onCheckpoint(generation);\nawait writeCheckpoint(this.#options.disk, {',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'accept a stale generation',
    edits: [
      { file: recovery, from: ' && header.generation >= checkpoint.generation', to: '' },
      { file: recovery, from: 'if (await isOlder(disk, name, checkpoint)) return [];', to: '' },
    ],
    caughtBy: { simulation: 'os' },
  },
  {
    name: 'append behind a cut',
    edits: [
      {
        file: embedded,
        from: 'if (replay.hasFiles) await this.#maintenance.checkpoint();',
        to: 'if (replay.hasFiles) void this.#maintenance.checkpoint();',
      },
      {
        file: 'platform/src/log/journal.ts',
        from: '    if (isNeeded) {\n      await file.sync();',
        to: '    if (isNeeded) {',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'cut one frame too many',
    edits: [
      {
        file: recovery,
        from: 'if (commit <= state.commit) continue;',
        to: 'if (commit <= state.commit) continue;\nif (frame === frames.at(-1)) break;',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'skip the directory sync of new segments',
    edits: [{ file: segments, from: 'await this.#context.disk.syncFolder(this.#folder());', to: '' }],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'skip the directory sync of new journal files',
    edits: [
      {
        file: 'platform/src/log/journal.ts',
        from: '      await this.#disk.syncFolder(journalFolder);\n',
        to: '',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'skip the directory sync of the checkpoint',
    edits: [
      {
        file: 'platform/src/log/checkpoint.ts',
        from: "  await disk.syncFolder('.');\n",
        to: '',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'retry a failed sync',
    edits: [
      {
        file: committer,
        from: 'await journal.sync();',
        to: 'try {\nawait journal.sync();\n} catch {\nawait journal.sync();\n}',
      },
    ],
    caughtBy: { testFile: faults, testName: 'journal sync' },
  },
  {
    name: 'drop a batch at a roll',
    edits: [
      {
        file: committer,
        from: 'if (!journal.hasRoom(length) && !(await this.#roll())) {',
        to: 'const isRoll = !journal.hasRoom(length);\nif (isRoll && !(await this.#roll())) {',
      },
      {
        file: committer,
        from: 'this.#encode(calls, length)',
        to: 'this.#encode(isRoll ? calls.slice(1) : calls, length)',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'index off by one',
    edits: [
      {
        file: 'platform/src/log/segment-index.ts',
        from: '(block) => block.endOffset > offset',
        to: '(block) => block.endOffset > offset + 1',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
  {
    name: 'apply a command twice',
    edits: [
      {
        file: recovery,
        from: 'state.apply(entry.payload);',
        to: 'state.apply(entry.payload);\nstate.apply(entry.payload);',
      },
    ],
    caughtBy: { simulation: 'fsync' },
  },
];
