// Runs on Node 20 with no node_modules: installs what is missing, builds what is stale, then hands over to the pinned Node.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeMajorMin = 24;
/** Folders of what is published. */
const packages = ['platform', 'client'];
const [command = 'start', ...args] = process.argv.slice(2);

/** What each command hands over to; `steps` are run one after the other, all of them, and any failure counts. */
const commands = {
  start: () => handOver(['platform/dist/cli/main.js', 'serve', ...args]),
  test: () => handOver(['node_modules/vitest/vitest.mjs', 'run', ...args]),
  build: () => undefined,
  check: () => steps(checks),
  format: () => steps([['format', ['node_modules/oxfmt/bin/oxfmt', '.']]]),
  generate: () => steps(Object.entries(generators).map(([name, tool]) => [name, [tool]])),
  bench: () => handOver(['bench/src/main.ts', ...args]),
  example: () => example(args),
  conformance: () => handOver(['conformance/src/main.ts', ...args]),
  mutations: () => handOver(['testing/src/mutations/main.ts', ...args]),
  sim: () => handOver(['testing/src/simulation/main.ts', ...args]),
  nightly: () => handOver(['conformance/src/nightly.ts', ...args]),
};

const generators = {
  model: 'tools/generate-model.ts',
  'compatibility table': 'tools/generate-compatibility.ts',
  'client reference': 'tools/generate-client-api.ts',
};

const checks = [
  ['types', ['node_modules/typescript/bin/tsc', '-b']],
  ['lint', ['node_modules/oxlint/bin/oxlint']],
  ['format', ['node_modules/oxfmt/bin/oxfmt', '--check', '.']],
  ['layers, generated files and the rest of tidy', ['tools/tidy.ts']],
  ['dead code', ['node_modules/knip/bin/knip.js']],
  ...packages.map((each) => [
    `package ${each}`,
    ['node_modules/publint/src/cli.js', each, '--strict', '--pack', 'false'],
  ]),
  ...Object.entries(generators).map(([name, tool]) => [`${name} up to date`, [tool, '--check']]),
];

if (!Object.hasOwn(commands, command)) {
  console.error(`unknown command ${command}; there is ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
ensureInstalled();
const node = pickNode();
ensureBuilt();
await commands[command]();

function ensureInstalled() {
  const stamp = join(root, 'node_modules/.millrace-install');
  const lock = readFileSync(join(root, 'package-lock.json'));
  const want = `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}`;
  if (readOr(stamp, '') === want) return;
  console.error('installing dependencies (npm ci)');
  // `ci` first: exact and checked. It refuses a lockfile that lacks an optional package of another platform;
  // `install --no-save` takes the same locked versions and leaves the lockfile alone. npm's output goes to stderr: stdout is the program's own.
  const npm = process.env.npm_execpath;
  const isDone = [['ci'], ['install', '--no-save']].some((words, i) => {
    const npmArgs = [...words, '--no-audit', '--no-fund', '--loglevel=error', '--include=dev'];
    const options = { cwd: root, stdio: ['ignore', i === 0 ? 'ignore' : 2, i === 0 ? 'ignore' : 2] };
    const run = npm
      ? spawnSync(process.execPath, [npm, ...npmArgs], options)
      : spawnSync('npm', npmArgs, { ...options, shell: process.platform === 'win32' });
    return run.status === 0;
  });
  if (!isDone) {
    console.error('installing dependencies failed: the lines above say why');
    process.exit(1);
  }
  writeFileSync(stamp, want);
}

/** This Node when it is new enough, else the one that npm installed. */
function pickNode() {
  if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) return process.execPath;
  const path = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(path)) return path;
  console.error(
    `Node ${nodeMajorMin} or newer is needed; this is ${process.version}, and the npm package "node" did not install`,
  );
  process.exit(1);
}

function ensureBuilt() {
  packages.forEach(ensurePackageBuilt);
}

function ensurePackageBuilt(folder) {
  const stamp = join(root, folder, 'dist/.built');
  const files = sourceFiles(`${folder}/src`).filter((each) => each.endsWith('.ts') && !each.endsWith('.test.ts'));
  const hash = createHash('sha256');
  for (const file of [...files, 'tsconfig.base.json', `${folder}/tsconfig.json`, 'package-lock.json']) {
    const { mtimeMs, size } = statSync(join(root, file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  const want = `${files.length} ${hash.digest('hex')}`;
  const built = readOr(stamp, '');
  if (built === want) return;
  // The compiler leaves the output of a source that is gone.
  if (built.split(' ')[0] !== String(files.length))
    rmSync(join(root, folder, 'dist'), { recursive: true, force: true });
  console.error(`building ${folder}`);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(node, [tsc, '-b', join(root, folder)], { cwd: root, stdio: ['ignore', 2, 2] });
  if (run.status !== 0) process.exit(run.status ?? 1);
  writeFileSync(stamp, want);
}

function sourceFiles(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sourceFiles(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`],
  );
}

function environment() {
  return { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
}

/** Runs each step and tells how it went. */
function steps(list) {
  let failed = 0;
  for (const [name, argv] of list) {
    const run = spawnSync(node, argv, { cwd: root, stdio: 'inherit', env: environment() });
    if (run.status !== 0) failed++;
    console.log(`${run.status === 0 ? 'ok' : 'FAILED'}: ${name}`);
  }
  console.log(`${list.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Goes on as that program: in this process when it is the right Node already. */
async function handOver([file, ...rest]) {
  const path = join(root, file);
  if (node === process.execPath) {
    process.argv = [node, path, ...rest];
    await import(pathToFileURL(path).href);
    return;
  }
  const child = spawn(node, [path, ...rest], { stdio: 'inherit', env: environment() });
  // `on`: a second signal must not end this process before the child has stopped.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
}

/** `NAME` is a folder of examples, or `NAME/PROGRAM` one program of it. */
function example([name, ...rest]) {
  const programs = sourceFiles('examples').filter(
    (file) => /^examples\/[^/]+\/[^/]+\.ts$/.test(file) && !file.includes('node_modules'),
  );
  const nameOf = (file) => file.replace(/^examples\/(.*)\.ts$/, '$1').replace(/\/main$/, '');
  const file = programs.find((each) => nameOf(each) === name);
  if (file !== undefined) return handOver([file, ...rest]);
  console.error(`npm run example -- NAME [--help], with \`npm start\` in another terminal. NAME is one of:`);
  for (const each of programs) console.error(`  ${nameOf(each)}`);
  process.exitCode = 2;
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
