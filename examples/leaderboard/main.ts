/*
 * A live leaderboard: a loop over the batches of all shards keeps the scores in memory. Nothing is saved: each start makes the board anew from the
 * beginning of the stream, so the scores of earlier games count. With `npm start` in another terminal:
 *
 *   npm run example -- leaderboard
 *
 * On a terminal the board is drawn in place; elsewhere a line a second says who leads.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, MemoryLeaseStore, Producer } from '@millrace/client';
import { fail, kinesisClient, openStream, readSettings } from '../stream.ts';

interface Score {
  readonly game: number;
  readonly player: string;
  readonly points: number;
}

const { stream, seconds, players } = readSettings('Plays a game, and shows who leads.', {
  stream: 'leaderboard',
  seconds: 10,
  players: 40,
});
const game = Date.now();
const client = kinesisClient();
await openStream(client, stream, 2);
const consumer = await Consumer.open({
  client,
  stream,
  application: 'leaderboard',
  leases: new MemoryLeaseStore(), // This process has all shards, whoever else shows a board.
  startAt: 'TRIM_HORIZON',
  retrieval: 'polling', // A registered consumer can be subscribed to a shard once, so boards side by side would need a name each.
  pollIdleMs: 250,
});

const pointsOf = new Map<string, number>();
let scores = 0;
let scoresOfGame = 0;

const playing = playAndClose();
const drawing = setInterval(draw, process.stdout.isTTY ? 100 : 1000);
for await (const { records } of consumer) {
  for (const record of records) {
    const { game: of, player, points } = record.json() as Score;
    pointsOf.set(player, (pointsOf.get(player) ?? 0) + points);
    scores++;
    if (of === game) scoresOfGame++;
  }
}
clearInterval(drawing);
draw();
const put = await playing;
client.destroy();
if (scoresOfGame !== put) fail(`${scoresOfGame} scores of this game came, and not ${put}`);
console.log(`${put} scores of this game and ${scores - put} of earlier ones; ahead is ${leaders(1).join()}`);

/** Stands in for the people who play. Closes the consumer, and with it the loop, when their scores are on the board. */
async function playAndClose(): Promise<number> {
  const producer = await Producer.open({ client, stream });
  let count = 0;
  try {
    for (const endMs = Date.now() + seconds * 1000; Date.now() < endMs; count++) {
      const player = `player-${Math.ceil(Math.random() ** 1.5 * players)}`;
      const score: Score = { game, player, points: Math.ceil(Math.random() * 100) };
      await producer.put({ partitionKey: player, data: JSON.stringify(score) });
      await sleep(2);
    }
    await producer.close();
    for (let waitedMs = 0; scoresOfGame < count && waitedMs < 20_000; waitedMs += 50) await sleep(50);
  } finally {
    await consumer.close();
  }
  return count;
}

function leaders(count: number): string[] {
  const sorted = [...pointsOf].toSorted(([, a], [, b]) => b - a).slice(0, count);
  return sorted.map(([player, points]) => `${player} with ${points} points`);
}

function draw(): void {
  if (!process.stdout.isTTY) return console.log(`${scores} scores: ${leaders(3).join(', ')}`);
  const lines = leaders(10).map((leader, index) => `${String(index + 1).padStart(2)}. ${leader}`);
  process.stdout.write(`\x1b[H\x1b[J${scores} scores\n\n${lines.join('\n')}\n\n`);
}
