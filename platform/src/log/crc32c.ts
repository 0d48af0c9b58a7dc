import { crc32c as native } from '@node-rs/crc32';

/** CRC-32C (Castagnoli) of `bytes`, as Kafka's batches and our frames carry it. */
export function crc32c(bytes: Uint8Array): number {
  return native(bytes as Buffer);
}
