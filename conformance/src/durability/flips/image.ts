import {
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  closeSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { SeededRandom } from '../seeded-random.ts';

export interface Flip {
  /** Path in the data folder. */
  readonly file: string;
  readonly position: number;
  readonly bit: number;
}

/** Files of the log; nothing reads `reserve`, and `lock` is empty. */
const isOfLog = /^(checkpoint|journal\/\d+\.log|segments\/\d+\/\d+\.(seg|idx))$/;
/** A server never writes to these again, so a copy may share them. */
const isFinished = /\.seg$/;

/** A data folder that stays as it is, and copies of it with flipped bits. */
export class Image {
  readonly #folder: string;
  readonly #files: ReadonlyArray<{ readonly file: string; readonly bytes: number }>;
  readonly bytes: number;

  constructor(folder: string) {
    this.#folder = folder;
    this.#files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((file) => ({ file, stat: statSync(join(folder, file)) }))
      .filter(({ file, stat }) => stat.isFile() && isOfLog.test(file) && stat.size > 0)
      .map(({ file, stat }) => ({ file, bytes: stat.size }))
      .sort((a, b) => (a.file < b.file ? -1 : 1));
    this.bytes = this.#files.reduce((sum, each) => sum + each.bytes, 0);
  }

  get fileCount(): number {
    return this.#files.length;
  }

  /** Half of the flips at any byte of the folder, the others in a kind of file each, so that small files come in for it, too. */
  flipSome(
    folder: string,
    count: number,
    random: SeededRandom,
  ): { folder: string; flips: readonly Flip[]; remove(): void } {
    const flips: Flip[] = [];
    while (flips.length < count) {
      const file = flips.length % 2 === 0 ? this.#anyByte(random) : this.#anyKind(random);
      const { bytes } = this.#files.find((each) => each.file === file) as { bytes: number };
      // With both copies of the checkpoint damaged there is no folder left to look at.
      if (file === 'checkpoint' && flips.some((each) => each.file === file)) continue;
      flips.push({ file, position: random.int(0, bytes - 1), bit: random.int(0, 7) });
    }
    this.#copy(folder, new Set(flips.map(({ file }) => file)));
    for (const flip of flips) apply(folder, flip);
    return { folder, flips, remove: () => rmSync(folder, { recursive: true, force: true }) };
  }

  #anyByte(random: SeededRandom): string {
    let at = random.int(0, this.bytes - 1);
    return (this.#files.find(({ bytes }) => (at -= bytes) < 0) as { file: string }).file;
  }

  #anyKind(random: SeededRandom): string {
    const kind = random.pick([/^checkpoint/, /^journal/, /\.seg$/, /\.idx$/]);
    return random.pick(this.#files.filter(({ file }) => kind.test(file))).file;
  }

  #copy(folder: string, flipped: ReadonlySet<string>): void {
    const newest = this.#files.filter(({ file }) => isFinished.test(file)).at(-1)?.file;
    for (const { file } of this.#files) {
      const to = join(folder, file);
      mkdirSync(dirname(to), { recursive: true });
      if (isFinished.test(file) && !flipped.has(file) && file !== newest) linkSync(join(this.#folder, file), to);
      else copyFileSync(join(this.#folder, file), to);
    }
  }
}

function apply(folder: string, { file, position, bit }: Flip): void {
  const fd = openSync(join(folder, file), 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  byte[0] = (byte[0] as number) ^ (1 << bit);
  writeSync(fd, byte, 0, 1, position);
  closeSync(fd);
}
