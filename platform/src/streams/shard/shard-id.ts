/** Ids made lately: there is one in every answer to a put. */
const known = new Map<number, string>();
const KNOWN_MAX = 10_000;

/** `shardId-` and twelve digits. */
export function formatShardId(shard: number): string {
  let id = known.get(shard);
  if (id !== undefined) return id;
  id = `shardId-${String(shard).padStart(12, '0')}`;
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(shard, id);
  return id;
}

/** Lenient as the service is: what follows the first `-`, or all of it. Undefined when that is no shard number. Source: data recorded by kinesalite. */
export function parseShardId(id: string): number | undefined {
  const digits = id.slice(id.indexOf('-') + 1);
  if (!/^\d+$/.test(digits)) return undefined;
  const number = Number(digits);
  return number <= 0x7fff_ffff ? number : undefined;
}
