import { join } from 'node:path';
import type { Checks } from '../harness/checks.ts';
import { workspaceFile } from '../harness/folders.ts';
import { pythonEnvironment } from '../harness/python.ts';
import { runReportingProgram } from '../harness/reporting-program.ts';
import type { Target } from '../harness/target.ts';

const requirement = 'boto3==1.44.5';

export async function boto3Suite(target: Target, checks: Checks): Promise<void> {
  const python = join(await pythonEnvironment(requirement), 'python');
  await runReportingProgram(target, checks, [python, '-B', workspaceFile('python/boto3_program.py')]);
}
