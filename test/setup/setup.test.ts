/** The set-up on machines that lack something: clear words, an exit code, no stack trace. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdsTheLock } from '../../lib/setup/locked.mjs';
import { isNewEnough, requireNode, requireSystem } from '../../lib/setup/setup.mjs';

const root = join(import.meta.dirname, '../..');
let clone: string;

/** A clone with its npm packages in place and nothing of Python; what is in `tools` is all that its PATH holds. */
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

test('without Python: what is missing, what to do, exit code 1', () => {
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toBe(
    'No Python was found.\nWhat to do: install Python 3.11 or newer from https://python.org, then call this again.\n',
  );
});

test('with a Python that is too old: which one, exit code 1', () => {
  tool('python3', 'echo 3.9.18');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('No Python is new enough: found python3 3.9.18.');
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('the first Python that is new enough is taken; one without venv is told apart from one that is old', () => {
  tool('python3', 'echo 3.9.18');
  tool('python3.12', 'case "$1" in -c) echo 3.12.3;; *) exit 1;; esac');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('setup: making the Python environment .venv with python3.12 3.12.3');
  expect(stderr).toContain('apt-get install python3-venv');
});

test('packages of an older lock file are stale: npm is asked, and its failure is told', () => {
  writeFileSync(join(clone, 'node_modules/.proxytune-setup'), 'other');
  tool('npm', 'echo "npm $*" >&2; exit 1');
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  expect(stderr).toContain('npm ci');
  expect(stderr).toContain('npm could not install the packages.\nWhat to do: ');
});

test('an environment that holds the lock is not made anew: only the package itself is installed', () => {
  mkdirSync(join(clone, '.venv/bin'), { recursive: true });
  linkSync(join(clone, 'package-lock.json'), join(clone, '.venv/.proxytune-setup'));
  writeFileSync(join(clone, '.venv/bin/python'), `#!/bin/sh\necho "$1 $2 $3 $6" >>${clone}/asked\n`);
  chmodSync(join(clone, '.venv/bin/python'), 0o755);
  const { stderr } = setUp();
  expect(stderr).not.toContain('making the Python environment');
  const asked = readFileSync(join(clone, 'asked'), 'utf8');
  expect(asked).toContain('-m pip install --no-deps');
  expect(asked.match(/-m pip install/g)).toHaveLength(1);
  // What the old stamp was linked with is as before.
  expect(readFileSync(join(clone, 'package-lock.json'))).toEqual(
    readFileSync(join(root, 'package-lock.json')),
  );
  expect(readFileSync(join(clone, '.venv/.proxytune-setup'), 'utf8')).toMatch(/^[0-9a-f]{64}$/);
});

test('the environment of these tests holds the lock, and no other', () => {
  const lock = readFileSync(join(root, 'containers/requirements.txt'), 'utf8');
  const held = (text: string) => {
    writeFileSync(join(clone, 'lock.txt'), text);
    return holdsTheLock(join(root, '.venv/bin/python'), join(clone, 'lock.txt'));
  };
  expect(held(lock)).toBe(true);
  expect(held(lock.replace(/^numpy==.*$/m, 'numpy==0.0.1'))).toBe(false);
  expect(held(lock.replace(/^numpy==.*$/m, ''))).toBe(false);
  expect(held(`${lock}more==1.0\n`)).toBe(false);
  expect(holdsTheLock(join(clone, '.venv/bin/python'), join(clone, 'lock.txt'))).toBe(false);
});

test.each(['18.20.4', '16.0.0', '9.1.0'])('Node %s is too old', (version) => {
  expect(() => requireNode(version)).toThrow(`Node ${version} is too old: Proxytune needs Node 20 or newer.`);
});

test.each(['20.0.0', '24.21.0', '100.0.0'])('Node %s will do', (version) => {
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

test('Windows itself is refused with the way out', () => {
  expect(() => requireSystem('win32')).toThrow('WSL');
  for (const platform of ['linux', 'darwin']) expect(() => requireSystem(platform)).not.toThrow();
});

test('a set-up waits for another one, and takes the turn of one that is no more', async () => {
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
  expect(seen).toContain('No Python was found.');
  expect(existsSync(lock)).toBe(false);
});
