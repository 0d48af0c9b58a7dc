import type { Checks } from '../harness/checks.ts';
import { buildWithMaven } from '../harness/maven.ts';
import { runReportingProgram } from '../harness/reporting-program.ts';
import type { Target } from '../harness/target.ts';

export async function javaSuite(target: Target, checks: Checks): Promise<void> {
  const { classPath } = await buildWithMaven('java');
  await runReportingProgram(target, checks, ['java', '-cp', classPath, 'millrace.conformance.Main']);
}
