import { randomInt } from 'node:crypto';
import { renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder, workFolder, type FreshFolder } from '../../harness/folders.ts';
import { SeededRandom } from '../seeded-random.ts';
import { ServerProcess, type ServerOptions } from '../server-process.ts';
import { medianOf } from '../statistics.ts';
import { Ledger } from './ledger.ts';
import { loadAndKill, restart } from './round.ts';
import { settle, verify } from './settle.ts';
import { World } from './world.ts';

export interface KillOptions {
  readonly rounds: number;
  /** Without it a new one. */
  readonly seed?: number | undefined;
  readonly durability: 'fsync' | 'os';
}

const folderBytesMax = 300e6;
const folderRoundsMax = 25;

/** Kills the server again and again under load, and holds what is there after each restart against what clients were told. */
export async function killRounds(options: KillOptions, checks: Checks): Promise<void> {
  const { rounds, durability } = options;
  const seed = options.seed ?? randomInt(1, 2 ** 32);
  checks.say(`${rounds} rounds, seed ${seed}, --durability ${durability}`);
  checks.say(`again: npm run nightly -- kill --rounds ${rounds} --seed ${seed} --durability ${durability}`);
  const run = new KillRun(checks, { seed, durability });
  try {
    for (let round = 1; round <= rounds; round++) await run.round(round);
  } finally {
    await run.close();
  }
  run.sumUp();
}

type Counts = World['ledger']['counts'];

class KillRun {
  readonly #checks: Checks;
  readonly #random: SeededRandom;
  readonly #flags: readonly string[];
  readonly #label: string;
  readonly #readyMs: number[] = [];
  readonly #totals = { rounds: 0, killedStarts: 0, folders: 0, records: 0, iterators: 0, bytes: 0 };
  readonly #counts: Counts = { ...new Ledger().counts };
  #folder: FreshFolder | undefined;
  #world: World | undefined;
  #server: ServerProcess | undefined;
  #reported = 0;

  constructor(checks: Checks, { seed, durability }: { seed: number; durability: string }) {
    this.#checks = checks;
    this.#random = new SeededRandom(seed);
    this.#flags = ['--durability', durability];
    this.#label = durability === 'fsync' ? '' : `${durability} `;
  }

  /** One round is one check. */
  async round(number: number): Promise<void> {
    const startedMs = performance.now();
    const random = this.#random.fork();
    const world = await this.#openWorld();
    const { killed, acknowledgedBytes } = await loadAndKill(world, this.#server as ServerProcess, random);
    this.#server = undefined;
    const { server, killedStarts } = await restart(this.#optionsOf(world), random);
    this.#server = server;
    this.#readyMs.push(server.readyMs);
    const { records, iterators } = await verify(world, server);
    this.#totals.rounds++;
    this.#totals.killedStarts += killedStarts;
    this.#totals.records += records;
    this.#totals.iterators += iterators;
    this.#totals.bytes += acknowledgedBytes;
    const starts = killedStarts > 0 ? `, ${killedStarts} starts killed` : '';
    const facts =
      `killed ${killed}${starts}; ${(acknowledgedBytes / 1e6).toFixed(1)} MB acknowledged; ready in ${server.readyMs.toFixed(0)} ms; ` +
      `read ${records} records and ${iterators} iterators; ${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
    this.#report(`${this.#label}round ${number} (${facts})`, world);
    const isFull = world.acknowledgedBytes > folderBytesMax || world.rounds >= folderRoundsMax;
    // What was wrong once would be told again in every round.
    if (isFull || random.chance(0.03) || world.ledger.violations.length > 0) await this.#closeWorld();
  }

  /** Removes what is left; also after a failure. */
  async close(): Promise<void> {
    if (this.#world !== undefined && this.#totals.rounds > 0 && !this.#server?.hasEnded) await this.#closeWorld();
    await this.#server?.kill();
    if (this.#world !== undefined) this.#removeFolder(this.#world);
  }

  /** Keeps it when something was wrong with it. */
  #removeFolder({ ledger, folder }: World): void {
    if (ledger.violations.length > 0) {
      const kept = join(workFolder('failed'), basename(join(folder, '..')));
      renameSync(join(folder, '..'), kept);
      this.#checks.say(`the data folder is kept: ${kept}`);
    }
    this.#folder?.remove();
  }

  sumUp(): void {
    const { rounds, killedStarts, folders, records, iterators, bytes } = this.#totals;
    const { tried, acknowledged, unanswered, appeared, vanished, refused } = this.#counts;
    const { controlCalls, reshards, controlApplied, controlNotApplied } = this.#counts;
    this.#checks.say(
      `${rounds} kills of a loaded server and ${killedStarts} of a starting one, on ${folders} data folders; ` +
        `${tried} records tried: ${acknowledged} acknowledged (${(bytes / 1e6).toFixed(0)} MB), ${refused} refused, ` +
        `${unanswered} left without an answer, of which ${appeared} were stored and ${vanished} were not; ` +
        `${controlCalls} control calls and ${reshards} reshards answered, ${controlApplied + controlNotApplied} not, of which ${controlApplied} had happened; ` +
        `${records} records read back, ${iterators} iterators used after a kill`,
    );
    this.#checks.say(
      `ready after a kill: median ${medianOf(this.#readyMs).toFixed(0)} ms, max ${Math.max(...this.#readyMs).toFixed(0)} ms`,
    );
    const isMuch = acknowledged > rounds * 10 && unanswered > rounds;
    this.#checks.record(
      `${this.#label}the kills hit calls under way`,
      isMuch ? undefined : 'too few calls were answered or left open',
    );
  }

  async #openWorld(): Promise<World> {
    if (this.#world !== undefined) return this.#world;
    this.#folder = freshFolder('kill');
    const world = new World(join(this.#folder.path, 'data'));
    this.#world = world;
    this.#reported = 0;
    this.#totals.folders++;
    this.#server = await ServerProcess.start(this.#optionsOf(world));
    await settle(world, this.#server);
    return world;
  }

  /** Ends with a clean stop, after which all has to be there as well. */
  async #closeWorld(): Promise<void> {
    const world = this.#world as World;
    await this.#server?.stop();
    if (world.ledger.violations.length === 0) {
      this.#server = await ServerProcess.start(this.#optionsOf(world));
      await verify(world, this.#server);
      await this.#server.stop();
    }
    this.#server = undefined;
    this.#world = undefined;
    for (const name of Object.keys(this.#counts) as Array<keyof Counts>)
      this.#counts[name] += world.ledger.counts[name];
    if (world.ledger.violations.length > this.#reported) this.#report(`${this.#label}after a clean stop`, world);
    this.#removeFolder(world);
  }

  #report(name: string, { ledger }: World): void {
    const fresh = ledger.violations.slice(this.#reported);
    this.#reported = ledger.violations.length;
    this.#checks.record(name, fresh.length === 0 ? undefined : fresh.join('; '));
  }

  #optionsOf(world: World): ServerOptions {
    return { folder: world.folder, flags: this.#flags };
  }
}
