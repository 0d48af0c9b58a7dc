import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { generateCertificate } from './certificate.ts';

it('makes a leaf for the loopback names, valid for 397 days from an hour ago', async () => {
  const now = Date.UTC(2026, 0, 1);
  const made = await generateCertificate({ ...systemClock, now: () => now });
  const certificate = new X509Certificate(made.cert);
  expect(certificate.ca).toBe(false);
  expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
  expect(certificate.validFromDate.getTime()).toBe(now - 3_600_000);
  expect(certificate.validToDate.getTime()).toBe(now + 397 * 86_400_000);
  expect(made.notAfter).toBe(now + 397 * 86_400_000);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
});
