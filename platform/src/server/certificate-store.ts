import type { Clock } from '../kernel/clock.ts';
import type { Disk } from '../kernel/disk.ts';
import { readTextFile } from '../kernel/text-file.ts';
import { generateCertificate, type Certificate } from '../protocol/index.ts';
import type { ServerConfig } from './config.ts';
import { ConfigError } from './config.ts';

const path = 'tls.json';
/** A kept certificate is replaced when it has less than this to live. */
export const renewBeforeMs: number = 30 * 24 * 3_600_000;

/** Gives the certificate of the settings, or one for loopback that is kept in the data folder and renewed before it ends. */
export function certificateStore(config: ServerConfig, disk: Disk, clock: Clock): () => Promise<Certificate> {
  let loading: Promise<Certificate> | undefined;
  // Two at a time would make two, and keep only one.
  return () => (loading ??= loadCertificate(config, disk, clock).finally(() => (loading = undefined)));
}

async function loadCertificate(config: ServerConfig, disk: Disk, clock: Clock): Promise<Certificate> {
  if (config.tlsCert !== undefined && config.tlsKey !== undefined) {
    try {
      return { cert: readTextFile(config.tlsCert), key: readTextFile(config.tlsKey) };
    } catch (error) {
      throw new ConfigError(`the certificate cannot be read: ${(error as Error).message}`);
    }
  }
  const stored = await disk.readFile(path);
  if (stored !== undefined) {
    const kept = JSON.parse(stored.toString()) as Certificate & { notAfter: number };
    if (kept.notAfter - clock.now() > renewBeforeMs) return kept;
  }
  const made = await generateCertificate(clock);
  const bytes = Buffer.from(JSON.stringify(made));
  const file = await disk.open(`${path}.new`, { create: true });
  await file.truncate(bytes.length);
  await file.write(bytes, 0);
  await file.sync();
  await file.close();
  await disk.rename(`${path}.new`, path);
  return made;
}
