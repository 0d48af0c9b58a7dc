import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { workFolder } from '../work-folder.ts';
import type { Target } from './target.ts';

interface Package {
  readonly name: string;
  readonly version: string;
}

const kinesalite: Package = { name: 'kinesalite', version: '3.3.3' };
const kinesisLocal: Package = { name: 'kinesis-local', version: '0.6.2' };
const shardLimit = '10000';

/** The other servers of this API that npm has. None of them syncs a record before it answers. */
export const peers: readonly Target[] = [
  {
    name: 'kinesalite',
    kind: 'peer',
    mode: 'memory only',
    prepare: () => install(kinesalite),
    command: ({ port }) => ({ args: [kinesaliteProgram(), '--port', String(port), '--shardLimit', shardLimit] }),
  },
  {
    name: 'kinesalite-leveldb',
    kind: 'peer',
    mode: 'LevelDB, not synced',
    prepare: () => install(kinesalite),
    command: ({ port, folder }) => ({
      args: [kinesaliteProgram(), '--port', String(port), '--shardLimit', shardLimit, '--path', folder],
    }),
  },
  {
    name: 'kinesis-local',
    kind: 'peer',
    mode: 'memory only',
    prepare: () => install(kinesisLocal),
    command: ({ port, sparePort }) => ({
      args: ['main.js'],
      cwd: packageFolder(kinesisLocal),
      environment: {
        KINESIS_MOCK_PLAIN_PORT: String(port),
        KINESIS_MOCK_TLS_PORT: String(sparePort),
        SHARD_LIMIT: shardLimit,
        LOG_LEVEL: 'ERROR',
      },
    }),
  },
];

function kinesaliteProgram(): string {
  return join(packageFolder(kinesalite), 'cli.js');
}

function packageFolder({ name, version }: Package): string {
  return join(workFolder, 'peers', `${name}-${version}`, 'node_modules', name);
}

/** Into a folder of its own that npm takes for a project, away from the workspace. */
function install(wanted: Package): void {
  const folder = dirname(dirname(packageFolder(wanted)));
  if (existsSync(packageFolder(wanted))) return;
  process.stderr.write(`installing ${wanted.name}@${wanted.version}\n`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = [
    'install',
    `${wanted.name}@${wanted.version}`,
    '--workspaces=false',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const npm = process.env['npm_execpath'];
  const run = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: folder, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (run.status !== 0) throw new Error(`npm could not install ${wanted.name}@${wanted.version}`);
}
