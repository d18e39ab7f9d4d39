/**
 * Everything a bare clone lacks: the npm packages and the Python environment. Plain JavaScript without packages, as
 * it runs before there are any, on whatever Node the machine has. A second call finds everything and takes no time.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holdsTheLock } from './locked.mjs';
import { SetupError, say } from './words.mjs';

export const ROOT = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const OLDEST_NODE = 20;
/** What the machine itself calls Python comes first: its venv module is the likeliest to be complete. */
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14', 'python'];
const OLDEST_PYTHON = { major: 3, minor: 11 };
const STAMP = '.proxytune-setup';

/** The interpreters that the rest of the product runs on. */
export const NODE = join(ROOT, 'node_modules/node/bin/node');
export const PYTHON = join(ROOT, '.venv/bin/python');

/**
 * Sets everything up that is missing or stale.
 * @throws {SetupError} in plain words, with a remedy
 */
export function setUp() {
  requireSystem(process.platform);
  requireNode(process.versions.node);
  if (isReady()) return;
  const unlock = waitForTurn();
  try {
    // Another command may have set everything up while this one waited.
    installPackages();
    installPython();
  } finally {
    unlock();
  }
}

/** @param {string} platform */
export function requireSystem(platform) {
  if (platform !== 'win32') return;
  throw new SetupError(
    'Proxytune runs its jobs as POSIX processes, which Windows does not have.',
    'call this inside WSL (Windows Subsystem for Linux).',
  );
}

/** @param {string} version */
export function requireNode(version) {
  if (Number(version.split('.')[0]) >= OLDEST_NODE) return;
  throw new SetupError(
    `Node ${version} is too old: Proxytune needs Node ${OLDEST_NODE} or newer.`,
    'install a newer Node from https://nodejs.org, then call this again.',
  );
}

/** What the two folders are made from. */
const PACKAGES = ['package-lock.json'];
const PYTHON_PACKAGES = ['containers/requirements.txt', 'containers/pyproject.toml'];

function isReady() {
  const packages = isFresh(join(ROOT, 'node_modules'), fingerprint(PACKAGES)) && existsSync(NODE);
  return packages && isFresh(join(ROOT, '.venv'), fingerprint(PYTHON_PACKAGES)) && works(PYTHON);
}

/**
 * Two commands in a fresh clone must not install into the same folders at once; the second waits for the first.
 *
 * @returns {() => void} ends the turn
 */
function waitForTurn() {
  const folder = join(ROOT, '.proxytune');
  const file = join(folder, 'setup.lock');
  mkdirSync(folder, { recursive: true });
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
    else if (waited === 0) say(`another command (process ${holder}) is setting up; waiting for it`);
    // Half a second, without an event loop: there is nothing else to do.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

function installPackages() {
  const folder = join(ROOT, 'node_modules');
  const wanted = fingerprint(PACKAGES);
  if (isFresh(folder, wanted) && existsSync(NODE)) return;
  say('installing the npm packages (once; a minute or two)');
  run(
    'npm',
    ['ci', '--no-audit', '--no-fund'],
    'npm could not install the packages',
    'look at the lines above; is the network there?',
  );
  if (!existsSync(NODE)) {
    throw new SetupError(
      'npm installed the packages but ran no install scripts, so Node 24 (the package `node`) is missing.',
      'allow them (npm config set ignore-scripts false), remove node_modules, and call this again.',
    );
  }
  stamp(folder, wanted);
}

function installPython() {
  const folder = join(ROOT, '.venv');
  const wanted = fingerprint(PYTHON_PACKAGES);
  if (isFresh(folder, wanted) && works(PYTHON)) return;
  const lockFile = join(ROOT, 'containers/requirements.txt');
  // A change that leaves all versions as they are must not cost a download of gigabytes.
  if (!holdsTheLock(PYTHON, lockFile)) makePython(folder, lockFile);
  pip(['--no-deps', '--no-build-isolation', '-e', join(ROOT, 'containers')]);
  stamp(folder, wanted);
}

/**
 * @param {string} folder - .venv, made anew
 * @param {string} lockFile
 */
function makePython(folder, lockFile) {
  const python = findPython();
  say(`making the Python environment .venv with ${python.command} ${python.version} (once; some minutes)`);
  rmSync(folder, { recursive: true, force: true });
  run(
    python.command,
    ['-m', 'venv', folder],
    'Python could not make a virtual environment',
    "install Python's venv module (Debian and Ubuntu: apt-get install python3-venv), then call this again.",
  );
  pip(['-r', lockFile]);
}

/** @param {string[]} what */
function pip(what) {
  run(
    PYTHON,
    ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', ...what],
    'pip could not install the packages',
    'look at the lines above; is the network there, and room on the disk (about 3 GB)?',
  );
}

/** @returns {{command: string, version: string}} the first Python that is new enough */
function findPython() {
  const seen = [];
  for (const command of PYTHONS) {
    const answer = spawnSync(command, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'], {
      encoding: 'utf8',
    });
    if (answer.status !== 0) continue;
    const version = answer.stdout.trim();
    seen.push(`${command} ${version}`);
    if (isNewEnough(version)) return { command, version };
  }
  throw new SetupError(
    seen.length === 0 ? 'No Python was found.' : `No Python is new enough: found ${seen.join(', ')}.`,
    `install Python ${OLDEST_PYTHON.major}.${OLDEST_PYTHON.minor} or newer from https://python.org, then call this again.`,
  );
}

/** @param {string} version */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_PYTHON.major || (major === OLDEST_PYTHON.major && minor >= OLDEST_PYTHON.minor);
}

/** @param {string} python */
function works(python) {
  return spawnSync(python, ['-c', 'pass']).status === 0;
}

/** @param {string[]} files - from the root; what a folder was made from */
function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

/**
 * @param {string} folder
 * @param {string} wanted - fingerprint
 */
function isFresh(folder, wanted) {
  const file = join(folder, STAMP);
  return existsSync(file) && readFileSync(file, 'utf8') === wanted;
}

/**
 * Written last, so that a set-up that was interrupted is done again.
 *
 * @param {string} folder
 * @param {string} wanted - fingerprint
 */
function stamp(folder, wanted) {
  const file = join(folder, STAMP);
  // A file of its own: where folders were copied by hard links, the others' stamp stays theirs.
  rmSync(file, { force: true });
  writeFileSync(file, wanted);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} what - is said when it fails
 * @param {string} remedy
 */
function run(command, args, what, remedy) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error !== undefined || status !== 0)
    throw new SetupError(`${what}${error ? ` (${error.message})` : ''}.`, remedy);
}
