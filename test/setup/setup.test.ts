/** The setup on machines that lack something: a clear message, an exit code, no stack trace. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { matchesLockFile } from '../../lib/setup/lock-file.mjs';
import { lockOwner } from '../../lib/setup/process-lock.mjs';
import { isNewEnough, requireNode, requireSystem } from '../../lib/setup/setup.mjs';

const root = join(import.meta.dirname, '../..');
let clone: string;

/** A clone with npm packages and without Python; its PATH has only the folder `tools`. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'proxytune-clone-'));
  for (const file of [
    'lib/setup',
    'package-lock.json',
    'containers/requirements.txt',
    'containers/pyproject.toml',
  ])
    cpSync(join(root, file), join(clone, file), { recursive: true });
  mkdirSync(join(clone, 'node_modules/node/bin'), { recursive: true });
  writeFileSync(join(clone, 'node_modules/node/bin/node'), '');
  const packages = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  writeFileSync(join(clone, 'node_modules/.proxytune-setup'), packages.digest('hex'));
  mkdirSync(join(clone, 'tools'));
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function tool(name: string, script: string): void {
  writeFileSync(join(clone, 'tools', name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(clone, 'tools', name), 0o755);
}

const code = () => `
    const { setUpAndCall } = await import(${JSON.stringify(join(clone, 'lib/setup/call.mjs'))});
    process.exitCode = await setUpAndCall('none.ts', []);`;

function setUp(): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, ['--input-type=module', '--eval', code()], {
    encoding: 'utf8',
    env: { PATH: join(clone, 'tools') },
  });
}

test('without Python: error, remedy, exit code 1', () => {
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toBe(
    'Python was not found.\nWhat to do: install Python 3.11 or newer from https://python.org, then run the command again.\n',
  );
});

test('with a Python that is too old: its version, exit code 1', () => {
  tool('python3', 'echo 3.9.18');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('No Python is new enough: found python3 3.9.18.');
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('uses the first Python that is new enough; a missing venv module has its own error', () => {
  tool('python3', 'echo 3.9.18');
  tool('python3.12', 'case "$1" in -c) echo 3.12.3;; *) exit 1;; esac');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('setup: creating the Python environment .venv with python3.12 3.12.3');
  expect(stderr).toContain('apt-get install python3-venv');
});

test('packages of an older lock file are stale: npm runs, and its failure is reported', () => {
  writeFileSync(join(clone, 'node_modules/.proxytune-setup'), 'other');
  tool('npm', 'echo "npm $*" >&2; exit 1');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('npm ci');
  expect(stderr).toContain('npm could not install the packages.\nWhat to do: ');
});

test('keeps an environment that matches the lock file and only installs the package itself', () => {
  mkdirSync(join(clone, '.venv/bin'), { recursive: true });
  linkSync(join(clone, 'package-lock.json'), join(clone, '.venv/.proxytune-setup'));
  writeFileSync(join(clone, '.venv/bin/python'), `#!/bin/sh\necho "$1 $2 $3 $6" >>${clone}/calls\n`);
  chmodSync(join(clone, '.venv/bin/python'), 0o755);
  const { stderr } = setUp();
  expect(stderr).not.toContain('creating the Python environment');
  const calls = readFileSync(join(clone, 'calls'), 'utf8');
  expect(calls).toContain('-m pip install --no-deps');
  expect(calls.match(/-m pip install/g)).toHaveLength(1);
  // The file that the old stamp was a hard link to is unchanged.
  expect(readFileSync(join(clone, 'package-lock.json'))).toEqual(
    readFileSync(join(root, 'package-lock.json')),
  );
  expect(readFileSync(join(clone, '.venv/.proxytune-setup'), 'utf8')).toMatch(/^[0-9a-f]{64}$/);
});

test('the environment of these tests matches its lock file, and no other', () => {
  const lock = readFileSync(join(root, 'containers/requirements.txt'), 'utf8');
  const matches = (text: string) => {
    writeFileSync(join(clone, 'lock.txt'), text);
    return matchesLockFile(join(root, '.venv/bin/python'), join(clone, 'lock.txt'));
  };
  expect(matches(lock)).toBe(true);
  expect(matches(lock.replace(/^numpy==.*$/m, 'numpy==0.0.1'))).toBe(false);
  expect(matches(lock.replace(/^numpy==.*$/m, ''))).toBe(false);
  expect(matches(`${lock}more==1.0\n`)).toBe(false);
  expect(matchesLockFile(join(clone, '.venv/bin/python'), join(clone, 'lock.txt'))).toBe(false);
});

test.each(['18.20.4', '16.0.0', '9.1.0'])('Node %s is too old', (version) => {
  expect(() => requireNode(version)).toThrow(`Node ${version} is too old: Proxytune needs Node 20 or newer.`);
});

test.each(['20.0.0', '24.21.0', '100.0.0'])('Node %s is new enough', (version) => {
  expect(() => requireNode(version)).not.toThrow();
});

test.each([
  ['3.10.14', false],
  ['2.7.18', false],
  ['3.11.0', true],
  ['3.9.18', false],
  ['4.0.0', true],
])('Python %s is new enough: %s', (version, enough) => {
  expect(isNewEnough(version)).toBe(enough);
});

test('rejects Windows and suggests WSL', () => {
  expect(() => requireSystem('win32')).toThrow('WSL');
  for (const platform of ['linux', 'darwin']) expect(() => requireSystem(platform)).not.toThrow();
});

test('waits for another setup, and takes over the lock of one that has ended', async () => {
  const lock = join(clone, '.proxytune/setup.lock');
  mkdirSync(join(clone, '.proxytune'));
  writeFileSync(lock, String(process.pid));
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code()], {
    env: { PATH: join(clone, 'tools') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let seen = '';
  const waiting = new Promise<void>((done) =>
    child.stderr.on('data', (text) => {
      seen += text;
      if (seen.includes('waiting for it')) done();
    }),
  );
  const ended = new Promise((done) => child.on('close', done));
  await waiting;
  expect(seen).toBe(`setup: another command (process ${process.pid}) is setting up; waiting for it\n`);
  // No process has this number: Linux and macOS count below it.
  writeFileSync(lock, '99999999');
  await ended;
  expect(seen).toContain('Python was not found.');
  expect(lockOwner(lock)).toBeUndefined();
});
