import type { Clock } from '../kernel/clock.ts';

/** A certificate with its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate made here. */
export interface GeneratedCertificate extends Certificate {
  /** Epoch ms; `server` makes a new one before. */
  readonly notAfter: number;
}

const VALID_MS = 397 * 24 * 3600_000;
/** Clients whose clock is a little behind must not find it in the future. */
const BACKDATE_MS = 3600_000;

/**
 * Makes a certificate for this machine's loopback names, about 20 ms. It is a leaf and can sign nothing: whoever trusts it trusts this one
 * server only. The caller keeps it (the key at mode 0600).
 */
export async function generateCertificate(clock: Clock): Promise<GeneratedCertificate> {
  // Loaded here, since most servers start with a certificate they have, or never see a TLS connection.
  const { generate } = await import('selfsigned');
  const now = clock.now();
  const notAfter = now + VALID_MS;
  const made = await generate([{ name: 'commonName', value: 'Millrace local' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - BACKDATE_MS),
    notAfterDate: new Date(notAfter),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private, notAfter };
}
