import type { Clock } from '../kernel/clock.ts';
import type { Disk } from '../kernel/disk.ts';
import { readTextFile } from '../kernel/text-file.ts';
import { generateCertificate, type Certificate } from '../protocol/index.ts';
import type { ServerConfig } from './config.ts';
import { ConfigError } from './config.ts';

const path = 'tls.json';
/** A kept certificate is replaced when it has less than this to live. */
export const renewBeforeMs: number = 30 * 24 * 3_600_000;

/** The certificate that is served: that of the settings, or one for loopback that is kept in the data folder and renewed before it ends. */
export class CertificateStore {
  readonly #load: () => Promise<Certificate>;
  #current: Promise<Certificate> | undefined;

  constructor(config: ServerConfig, disk: Disk, clock: Clock) {
    this.#load = () => loadCertificate(config, disk, clock);
  }

  /** The same for all who ask until it is renewed; one that cannot be had is tried again. */
  current(): Promise<Certificate> {
    this.#current ??= this.#load().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    return this.#current;
  }

  /** Looks for a newer one, if anybody has asked for one yet; if there is none to be had, the one there is stays. */
  async renew(): Promise<void> {
    if (this.#current === undefined) return;
    const next = await this.#load();
    this.#current = Promise.resolve(next);
  }
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
  try {
    await file.truncate(bytes.length);
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(`${path}.new`, path);
  return made;
}
