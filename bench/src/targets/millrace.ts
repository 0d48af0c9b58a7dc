import { existsSync } from 'node:fs';
import type { Target } from './target.ts';

type Durability = 'fsync' | 'os' | 'memory';

const modes = {
  fsync: 'synced before the answer',
  os: 'written before the answer, synced every second',
  memory: 'memory only',
} as const;

/** @param program the built `cli/main.js` to start */
export function millrace(name: string, program: string, durability: Durability): Target {
  return {
    name,
    kind: 'millrace',
    mode: modes[durability],
    prepare: () => {
      if (!existsSync(program)) throw new Error(`${program} is missing: npm run build makes it`);
    },
    command: ({ port, folder }) => ({
      args: [
        program,
        'serve',
        '--port',
        String(port),
        '--data-dir',
        folder,
        '--durability',
        durability,
        '--log-level',
        'warn',
      ],
    }),
  };
}
