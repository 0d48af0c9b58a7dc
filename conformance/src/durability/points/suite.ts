import { randomInt } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../../harness/checks.ts';
import { freshFolder, workspaceFile, type FreshFolder } from '../../harness/folders.ts';
import { loadAndKill } from '../kill/round.ts';
import { settle, verify } from '../kill/settle.ts';
import { World } from '../kill/world.ts';
import { SeededRandom } from '../seeded-random.ts';
import { ServerProcess, StartFailure, type ServerOptions } from '../server-process.ts';
import {
  anyRestart,
  leavesSegments,
  momentsOf,
  needsSegments,
  stepsOf,
  type Armed,
  type Moment,
  type Phase,
} from './steps.ts';

export interface PointsOptions {
  /** How often each moment of each step is tried. */
  readonly repetitions: number;
  /** Of each step only one moment, chosen by the seed. */
  readonly isShort: boolean;
  readonly seed?: number | undefined;
}

const reachMsMax = 8000;
const folderBytesMax = 400e6;
const folderRoundsMax = 20;
/** For steps that were not come to. */
const attemptsMax = 6;
const preload = workspaceFile('src/durability/points/preload.ts');

/**
 * Ends a real server before, in the middle of and after each step that changes its data folder: at its first start, under load, and at the
 * start after a crash. What is there after the next start is held against what clients were told.
 */
export async function pointsSuite(options: PointsOptions, checks: Checks): Promise<void> {
  const seed = options.seed ?? randomInt(1, 2 ** 32);
  const run = new PointsRun(options, new SeededRandom(seed), checks);
  checks.say(`again: npm run nightly -- points --seed ${seed}`);
  try {
    await run.all();
  } finally {
    await run.close();
  }
}

class PointsRun {
  readonly #checks: Checks;
  readonly #options: PointsOptions;
  readonly #random: SeededRandom;
  /** How often each case was reached, by phase, moment and step. */
  readonly #reached = new Map<string, number>();
  #kills = 0;
  #records = 0;
  #acknowledged = 0;
  #site: Site | undefined;

  constructor(options: PointsOptions, random: SeededRandom, checks: Checks) {
    this.#options = options;
    this.#random = random;
    this.#checks = checks;
  }

  async all(): Promise<void> {
    for (let i = 0; i < this.#options.repetitions; i++) {
      for (const armed of this.#cases('first start')) await this.#firstStart(armed);
      const restarts = this.#cases('restart');
      for (const restart of restarts.filter(needsSegments)) await this.#round(leavesSegments, restart);
      // The restarts are fewer and go round.
      for (const [k, load] of this.#cases('load').entries())
        await this.#round(load, restarts[k % restarts.length] as Armed);
    }
    for (let attempt = 0; attempt < attemptsMax; attempt++) await this.#tryMissed(attempt);
    await this.#leave();
    this.#report();
  }

  async close(): Promise<void> {
    await this.#site?.close();
  }

  /** Chance does not lead to every step: those that no server has come to are tried again, now on the folder there is and now on a new one. */
  async #tryMissed(attempt: number): Promise<void> {
    const missed = (phase: Phase): Armed[] =>
      this.#cases(phase)
        .filter(({ step, moment }) => this.#reached.get(this.#key(phase, step, moment)) === 0)
        .map((armed) => ({ ...armed, countdown: 1 }));
    const isNew = attempt % 2 === 0;
    for (const armed of missed('first start')) await this.#firstStart(armed);
    for (const load of missed('load')) {
      if (isNew) await this.#leave();
      await this.#round(load, anyRestart);
    }
    for (const restart of missed('restart')) {
      if (isNew) await this.#leave();
      // In a new folder no checkpoint knows any segment yet.
      await this.#round({ ...leavesSegments, countdown: isNew ? 1 : leavesSegments.countdown }, restart);
    }
  }

  /** In a random order; each with its place among the steps of its kind. */
  #cases(phase: Phase): Armed[] {
    const cases = stepsOf(phase).flatMap(({ step, often }) => {
      const all = momentsOf(step);
      const moments = this.#options.isShort ? [this.#random.pick(all)] : all;
      return moments.map((moment) => ({ step, moment, countdown: this.#random.int(1, often) }));
    });
    return cases
      .map((each) => ({ each, order: this.#random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ each }) => each);
  }

  async #firstStart(armed: Armed): Promise<void> {
    const site = new Site();
    try {
      site.arm(armed);
      const ended = await site.startArmed();
      this.#note('first start', armed, ended);
      await site.startSound();
      await settle(site.world, site.server);
      await verify(site.world, site.server);
      this.#told(`first start, killed ${placeOf(armed)}`, site);
    } finally {
      await site.close();
    }
  }

  async #round(load: Armed, restart: Armed): Promise<void> {
    const isFull =
      (this.#site?.world.acknowledgedBytes ?? 0) > folderBytesMax || this.#site?.world.rounds === folderRoundsMax;
    // New journal files are made in the beginning only; later they are used again.
    if (isFull || load.step.includes('journal f')) await this.#leave();
    const site = (this.#site ??= await newSite());
    site.arm(load);
    site.server.poke();
    let hasReached = false;
    const { acknowledgedBytes } = await loadAndKill(site.world, site.server, this.#random.fork(), {
      name: placeOf(load),
      isHeavy: !load.step.endsWith('commit'),
      endsByItself: true,
      async wait() {
        await Promise.race([site.server.gone(), sleep(reachMsMax, undefined, { ref: false })]);
        hasReached = site.server.hasEnded;
      },
    });
    this.#acknowledged += acknowledgedBytes;
    this.#note('load', load, hasReached);
    site.arm(restart);
    const endedAgain = await site.startArmed();
    this.#note('restart', restart, endedAgain);
    if (endedAgain) await site.startSound();
    else site.disarm();
    this.#records += (await verify(site.world, site.server)).records;
    this.#told(`killed ${placeOf(load)}, then at the start ${placeOf(restart)}`, site);
    if (site.world.ledger.violations.length > 0) await this.#leave();
  }

  /** Ends a folder with a clean stop, after which all has to be there as well. */
  async #leave(): Promise<void> {
    const site = this.#site;
    if (site === undefined) return;
    if (site.world.ledger.violations.length === 0) {
      await site.server.stop();
      await site.startSound();
      await verify(site.world, site.server);
      this.#told('after a clean stop', site);
    }
    this.#site = undefined;
    await site.close();
  }

  #note(phase: Phase, { step, moment }: Armed, hasReached: boolean): void {
    const key = this.#key(phase, step, moment);
    this.#reached.set(key, (this.#reached.get(key) ?? 0) + Number(hasReached));
    this.#kills += Number(hasReached);
  }

  #key(phase: Phase, step: string, moment: Moment): string {
    const when = phase === 'load' ? 'under load' : `at the ${phase}`;
    return `${when}, ${this.#options.isShort ? 'around' : moment} ${step}`;
  }

  #told(when: string, { world: { ledger } }: Site): void {
    if (ledger.violations.length > 0) this.#checks.record(when, ledger.violations.join('; '));
  }

  #report(): void {
    for (const [key, count] of [...this.#reached].sort(([a], [b]) => (a < b ? -1 : 1)))
      this.#checks.record(
        `killed ${key}: nothing is lost, nothing made up`,
        count > 0 ? undefined : 'it was never reached',
      );
    this.#checks.say(
      `${this.#kills} kills at named steps; ${(this.#acknowledged / 1e6).toFixed(0)} MB acknowledged; ${this.#records} records read back`,
    );
  }
}

function placeOf({ step, moment, countdown }: Armed): string {
  return `${moment} ${step}, no. ${countdown}`;
}

async function newSite(): Promise<Site> {
  const site = new Site();
  await site.startSound();
  await settle(site.world, site.server);
  return site;
}

/** A data folder with a server on it that can be told where to end. */
class Site {
  readonly world: World;
  readonly #folder: FreshFolder = freshFolder('points');
  readonly #armedFile: string;
  readonly #options: ServerOptions;
  #server: ServerProcess | undefined;

  constructor() {
    const folder = join(this.#folder.path, 'data');
    this.world = new World(folder);
    this.#armedFile = join(this.#folder.path, 'armed.json');
    const env = {
      FAULT_ROOT: folder,
      FAULT_FILE: this.#armedFile,
      NODE_OPTIONS: `--import ${pathToFileURL(preload).href}`,
    };
    this.#options = { folder, env };
  }

  get server(): ServerProcess {
    return this.#server as ServerProcess;
  }

  arm(armed: Armed): void {
    writeFileSync(this.#armedFile, JSON.stringify(armed));
  }

  disarm(): void {
    rmSync(this.#armedFile, { force: true });
    this.server.poke();
  }

  /** Whether the server ended where it was told to, before it was ready. */
  async startArmed(): Promise<boolean> {
    this.#server = ServerProcess.spawn(this.#options);
    try {
      await this.#server.ready();
      return false;
    } catch (error) {
      if (!(error instanceof StartFailure) || !this.#server.wasKilled) throw error;
      return true;
    }
  }

  async startSound(): Promise<void> {
    rmSync(this.#armedFile, { force: true });
    if (this.#server?.hasEnded === false) await this.#server.kill();
    this.#server = await ServerProcess.start(this.#options);
  }

  async close(): Promise<void> {
    await this.#server?.kill();
    this.#folder.remove();
  }
}
