/** `shardId-` and twelve digits. */
export function formatShardId(shard: number): string {
  return `shardId-${String(shard).padStart(12, '0')}`;
}

/** Lenient as the service is: what follows the first `-`, or all of it. Undefined when that is no shard number. Source: data recorded by kinesalite. */
export function parseShardId(id: string): number | undefined {
  const digits = id.slice(id.indexOf('-') + 1);
  if (!/^\d+$/.test(digits)) return undefined;
  const number = Number(digits);
  return number <= 0x7fff_ffff ? number : undefined;
}
