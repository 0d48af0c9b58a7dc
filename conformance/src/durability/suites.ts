import type { Checks } from '../harness/checks.ts';
import type { Target } from '../harness/target.ts';
import { churnSuite as churn } from './churn/suite.ts';
import { flipsSuite as flips } from './flips/suite.ts';
import { checkTheChecker } from './kill/ledger-checks.ts';
import { killRounds } from './kill/suite.ts';
import { pointsSuite as points } from './points/suite.ts';
import { readySuite as ready } from './ready/suite.ts';
import { reshardsSuite as reshards } from './reshards/suite.ts';
import { shardsSuite as shards } from './shards/suite.ts';
import { straceSuite as strace } from './strace/suite.ts';

const rounds = 20;
const roundsOfOs = 4;
const megabytes = 512;
const reshardSteps = 60;

/*
 * The durability suites at the size for every change; `nightly.ts` runs them at full size.
 * They start servers of their own, whatever the target is: they kill them.
 */

export async function killSuite(_: Target, checks: Checks): Promise<void> {
  await checkTheChecker(checks);
  await killRounds({ rounds, durability: 'fsync' }, checks);
  await killRounds({ rounds: roundsOfOs, durability: 'os' }, checks);
}

export async function pointsSuite(_: Target, checks: Checks): Promise<void> {
  await points({ repetitions: 1, isShort: true }, checks);
}

export async function flipsSuite(_: Target, checks: Checks): Promise<void> {
  await flips({ megabytes: 100, flips: 50 }, checks);
}

export async function reshardsSuite(_: Target, checks: Checks): Promise<void> {
  await reshards({ steps: reshardSteps }, checks);
}

export async function shardsSuite(_: Target, checks: Checks): Promise<void> {
  await shards(checks);
}

export async function churnSuite(_: Target, checks: Checks): Promise<void> {
  await churn({ seconds: 20, streamBytes: 300e6 }, checks);
}

export async function straceSuite(_: Target, checks: Checks): Promise<void> {
  await strace(checks);
}

export async function readySuite(_: Target, checks: Checks): Promise<void> {
  await ready(megabytes, checks);
}
