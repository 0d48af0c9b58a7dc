import { join } from 'node:path';
import { repositoryFolder } from '../work-folder.ts';
import { limits } from './limits.ts';
import { millrace } from './millrace.ts';
import { peers } from './peers.ts';
import type { Target } from './target.ts';

export interface Builds {
  /** Another `cli/main.js` than this checkout's. */
  readonly program: string | undefined;
  /** A second build, measured beside the first. */
  readonly other: string | undefined;
}

/** Every target by name. */
export function allTargets({ program, other }: Builds): ReadonlyMap<string, Target> {
  const own = program ?? join(repositoryFolder, 'platform/dist/cli/main.js');
  const builds = [
    millrace('millrace', own, 'fsync'),
    millrace('millrace-os', own, 'os'),
    millrace('millrace-memory', own, 'memory'),
    ...(other === undefined ? [] : [millrace('millrace-other', other, 'fsync')]),
  ];
  return new Map([...builds, ...limits, ...peers].map((target) => [target.name, target]));
}
