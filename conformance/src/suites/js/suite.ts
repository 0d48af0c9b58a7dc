import { fileURLToPath } from 'node:url';
import type { Checks } from '../../harness/checks.ts';
import { runReportingProgram } from '../../harness/reporting-program.ts';
import type { Target } from '../../harness/target.ts';

/** A program of its own, since the SDK's default settings take a certificate from the environment only. */
export async function javascriptSuite(target: Target, checks: Checks): Promise<void> {
  await runReportingProgram(target, checks, [
    process.execPath,
    fileURLToPath(new URL('./program.ts', import.meta.url)),
  ]);
}
