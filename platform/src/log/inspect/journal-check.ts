import type { Disk, DiskFile } from '../../kernel/disk.ts';
import { alignFrame } from '../frame.ts';
import { journalFolder } from '../journal.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { addLost, type JournalReplay } from './journal-replay.ts';
import type { FoundFrame, JournalScan } from './journal-scan.ts';
import { brokenFrames, salvageFrame, type FrameRegion, type Salvage } from './salvage.ts';
import type { Damage, DamageList, LostRange, TornTail } from './report.ts';

export interface JournalOutcome {
  /** Newest commit that a start now would keep. */
  readonly commit: number;
  readonly tornTail: TornTail | undefined;
}

/** Walks the commits behind the checkpoint in their order, as recovery does, and says what is missing. */
export async function checkJournal(
  disk: Disk,
  scan: JournalScan,
  context: { readonly replay: JournalReplay; readonly damage: DamageList; readonly reader: ChunkReader },
): Promise<JournalOutcome> {
  const check = new JournalCheck(disk, scan, context);
  try {
    return await check.run();
  } finally {
    await check.close();
  }
}

/** No frame is longer: a commit takes 8 MiB, or one call. */
const frameBytesMax = 16 * 1024 * 1024;

/** Damaged frames of one gap. */
interface Broken {
  readonly file: string;
  readonly position: number | undefined;
  readonly frames: number;
  readonly salvages: readonly Salvage[];
}

class JournalCheck {
  readonly #disk: Disk;
  readonly #scan: JournalScan;
  readonly #replay: JournalReplay;
  readonly #damage: DamageList;
  readonly #reader: ChunkReader;
  #open: { readonly name: string; readonly file: DiskFile } | undefined;
  #previous: FoundFrame | undefined;

  constructor(
    disk: Disk,
    scan: JournalScan,
    context: { readonly replay: JournalReplay; readonly damage: DamageList; readonly reader: ChunkReader },
  ) {
    this.#disk = disk;
    this.#scan = scan;
    this.#replay = context.replay;
    this.#damage = context.damage;
    this.#reader = context.reader;
  }

  async run(): Promise<JournalOutcome> {
    const { checkpoint } = this.#replay;
    const frames = [...this.#scan.frames].sort(
      (a, b) => a.header.commit - b.header.commit || b.header.generation - a.header.generation,
    );
    const durableUpTo = frames.reduce((most, { header }) => Math.max(most, header.durableUpTo), checkpoint.commit);
    let commit = 0;
    for (const [i, frame] of frames.entries()) {
      const { header } = frame;
      if (header.commit <= commit) continue;
      await this.#checkCovered(frame);
      const next = Math.max(commit, checkpoint.commit) + 1;
      if (header.commit > next) {
        const broken = await this.#findBroken(next, header.commit - 1, frame);
        if (header.commit - 1 > durableUpTo) {
          const behind = new Set(frames.slice(i).map((each) => each.header.commit)).size;
          return { commit: next - 1, tornTail: tornTail(broken, next, behind) };
        }
        this.#reportGap(broken, next, header.commit - 1);
      }
      if (header.commit > checkpoint.commit) {
        await this.#use(frame.name);
        this.#replay.apply(frame, await this.#reader.read(header.position, header.length));
      }
      commit = header.commit;
      this.#previous = frame;
    }
    return { commit: Math.max(commit, checkpoint.commit), tornTail: await this.#checkEnd(commit) };
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
  }

  /** Frames between two of one use of a file that the checkpoint has made unneeded. */
  async #checkCovered(frame: FoundFrame): Promise<void> {
    const before = this.#previous?.header;
    const last = Math.min(frame.header.commit - 1, this.#replay.checkpoint.commit);
    if (before === undefined || before.generation !== frame.header.generation || last <= before.commit) return;
    const broken = await this.#findBroken(before.commit + 1, last, frame);
    this.#reportCovered(broken.file, broken.position, before.commit + 1, last);
  }

  #reportCovered(file: string, position: number | undefined, first: number, last: number): void {
    const sentence = `${commits(first, last)} damaged; the checkpoint holds what came of them`;
    this.#damage.add({ kind: 'journal', file, position, sentence });
  }

  #reportGap(broken: Broken, first: number, last: number): void {
    const { file, position, salvages } = broken;
    const sentence = `${commits(first, last)} damaged, and later ones say that they were synced`;
    const damage = this.#damage.add({ kind: 'journal', file, position, sentence });
    damage.mayHoldMore = broken.frames < last - first + 1;
    for (const salvage of salvages) this.#addSalvage(damage, salvage);
    this.#replay.lost(damage);
  }

  #addSalvage(damage: Damage, { ranges, commands, isComplete }: Salvage): void {
    if (!isComplete) damage.mayHoldMore = true;
    damage.lostCommands += commands;
    for (const range of ranges) {
      const shard = this.#replay.model.shard(range);
      if (shard !== undefined) shard.expectedEnd = range.endOffset;
      addLost(damage, range);
    }
  }

  /** Behind the newest frame: one that is not whole, if one can be made out. */
  async #checkEnd(commit: number): Promise<TornTail | undefined> {
    const { checkpoint } = this.#replay;
    const last = this.#previous;
    const next = last === undefined ? checkpoint.commit + 1 : commit + 1;
    const known = { folderId: checkpoint.folderId, firstCommit: next, lastCommit: next };
    const regions: FrameRegion[] = [];
    for (const { name, bytes } of this.#scan.files) {
      if (name === last?.name) {
        const from = endOf(last);
        regions.unshift({ ...known, name, from, to: bytes, generation: last.header.generation });
      } else {
        const generation = last === undefined ? checkpoint.generation : last.header.generation + 1;
        regions.push({ ...known, name, from: 0, to: bytes, generation });
      }
    }
    for (const region of regions) {
      const [position] = await this.#brokenIn({ ...region, to: Math.min(region.to, region.from + 512) });
      if (position === undefined) continue;
      if (next <= checkpoint.commit) {
        this.#reportCovered(region.name, position, next, next);
        return undefined;
      }
      const salvages = [await this.#salvage(position, region.to, new Map())];
      return tornTail({ file: region.name, position, frames: 1, salvages }, next, 0);
    }
    return undefined;
  }

  async #brokenIn(region: FrameRegion): Promise<number[]> {
    await this.#use(region.name);
    return brokenFrames(this.#reader, region);
  }

  /** The damaged frames between the previous frame and `next`. */
  async #findBroken(firstCommit: number, lastCommit: number, next: FoundFrame): Promise<Broken> {
    const { folderId } = this.#replay.checkpoint;
    const known = { folderId, firstCommit, lastCommit };
    const before = this.#previous;
    const { generation } = next.header;
    const regions: FrameRegion[] = [];
    if (before?.name === next.name && before.header.generation === generation) {
      regions.push({ ...known, name: next.name, from: endOf(before), to: next.header.position, generation });
    } else {
      const file = this.#scan.files.find(({ name }) => name === before?.name);
      if (before !== undefined && file !== undefined) {
        const { name, bytes } = file;
        regions.push({ ...known, name, from: endOf(before), to: bytes, generation: before.header.generation });
      }
      regions.push({ ...known, name: next.name, from: 0, to: next.header.position, generation });
    }
    let place: { file: string; position: number } | undefined;
    const salvages: Salvage[] = [];
    const ends = new Map<string, number>();
    for (const region of regions) {
      const positions = await this.#brokenIn(region);
      for (const [i, position] of positions.entries()) {
        place ??= { file: region.name, position };
        const to = positions[i + 1] ?? region.to;
        salvages.push(await this.#salvage(position, to, ends));
      }
    }
    const { from, to, name } = regions.at(-1) as FrameRegion;
    const otherwise = from < to ? { file: name, position: from } : { file: journalFolder, position: undefined };
    return { ...(place ?? otherwise), frames: salvages.length, salvages };
  }

  /** Of the file that the reader is at. */
  async #salvage(position: number, to: number, ends: Map<string, number>): Promise<Salvage> {
    const bytes = await this.#reader.read(position, Math.min(to - position, frameBytesMax));
    return salvageFrame(bytes, this.#replay.model, ends);
  }

  async #use(name: string): Promise<void> {
    if (this.#open?.name === name) return;
    await this.#open?.file.close();
    this.#open = undefined;
    this.#open = { name, file: await this.#disk.open(name, { create: false }) };
    this.#reader.use(this.#open.file);
  }
}

function endOf({ header }: FoundFrame): number {
  return header.position + alignFrame(header.length);
}

function commits(first: number, last: number): string {
  return first === last ? `commit ${first} is` : `commits ${first} to ${last} are`;
}

function tornTail({ file, position, salvages }: Broken, commit: number, commitsBehind: number): TornTail {
  const records: LostRange[] = salvages.flatMap((each) => each.ranges);
  return { file, position: position ?? 0, commit, records, commitsBehind };
}
