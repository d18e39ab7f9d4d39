/**
 * Installs what a fresh clone lacks: the npm packages and the Python environment. Plain JavaScript without packages,
 * because it runs before there are any, on the Node of the machine. When everything is installed, it returns at once.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { matchesLockFile } from './lock-file.mjs';
import { log, SetupError } from './messages.mjs';
import { lockOwner, tryLock } from './process-lock.mjs';

export const ROOT = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const OLDEST_NODE = 20;
/** The system's default Python comes first: its venv module is the most likely to be complete. */
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14', 'python'];
const OLDEST_PYTHON = { major: 3, minor: 11 };
const STAMP = '.proxytune-setup';

/** The interpreters that the rest of the product runs on. */
export const NODE = join(ROOT, 'node_modules/node/bin/node');
export const PYTHON = join(ROOT, '.venv/bin/python');

/**
 * Sets everything up that is missing or stale.
 * @throws {SetupError} with a remedy
 */
export function setUp() {
  requireSystem(process.platform);
  requireNode(process.versions.node);
  if (isReady()) return;
  const unlock = takeLock();
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
    'run the command inside WSL (Windows Subsystem for Linux).',
  );
}

/** @param {string} version */
export function requireNode(version) {
  if (Number(version.split('.')[0]) >= OLDEST_NODE) return;
  throw new SetupError(
    `Node ${version} is too old: Proxytune needs Node ${OLDEST_NODE} or newer.`,
    'install a newer Node from https://nodejs.org, then run the command again.',
  );
}

/** The files that determine the contents of the two folders. */
const PACKAGES = ['package-lock.json'];
const PYTHON_PACKAGES = ['containers/requirements.txt', 'containers/pyproject.toml'];

function isReady() {
  const packages = isFresh(join(ROOT, 'node_modules'), fingerprint(PACKAGES)) && existsSync(NODE);
  return packages && isFresh(join(ROOT, '.venv'), fingerprint(PYTHON_PACKAGES)) && works(PYTHON);
}

/**
 * Takes the lock, waiting for another command that has it: two must not install into the same folders at once.
 *
 * @returns {() => void} releases the lock
 */
function takeLock() {
  const folder = join(ROOT, '.proxytune');
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'setup.lock');
  for (let waited = 0; ; waited++) {
    const release = tryLock(lock);
    if (release !== undefined) return release;
    if (waited === 0) log(`another command (process ${lockOwner(lock)}) is setting up; waiting for it`);
    // Half a second, blocking: there is nothing else to do.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
}

function installPackages() {
  const folder = join(ROOT, 'node_modules');
  const wanted = fingerprint(PACKAGES);
  if (isFresh(folder, wanted) && existsSync(NODE)) return;
  log('installing the npm packages (once; a minute or two)');
  run(
    'npm',
    ['ci', '--no-audit', '--no-fund'],
    'npm could not install the packages',
    'see the output above, and check the network connection.',
  );
  if (!existsSync(NODE)) {
    throw new SetupError(
      'npm installed the packages but ran no install scripts, so Node 24 (the package `node`) is missing.',
      'allow them (npm config set ignore-scripts false), remove node_modules, and run the command again.',
    );
  }
  stamp(folder, wanted);
}

function installPython() {
  const folder = join(ROOT, '.venv');
  const wanted = fingerprint(PYTHON_PACKAGES);
  if (isFresh(folder, wanted) && works(PYTHON)) return;
  const lockFile = join(ROOT, 'containers/requirements.txt');
  // A change that leaves all versions as they are must not cause a download of gigabytes.
  if (!matchesLockFile(PYTHON, lockFile)) createEnvironment(folder, lockFile);
  pip(['--no-deps', '--no-build-isolation', '-e', join(ROOT, 'containers')]);
  stamp(folder, wanted);
}

/**
 * @param {string} folder - .venv, which is replaced
 * @param {string} lockFile
 */
function createEnvironment(folder, lockFile) {
  const python = findPython();
  log(`creating the Python environment .venv with ${python.command} ${python.version} (once; some minutes)`);
  rmSync(folder, { recursive: true, force: true });
  run(
    python.command,
    ['-m', 'venv', folder],
    'Python could not create a virtual environment',
    "install Python's venv module (Debian and Ubuntu: apt-get install python3-venv), then run the command again.",
  );
  pip(['-r', lockFile]);
}

/** @param {string[]} packages */
function pip(packages) {
  run(
    PYTHON,
    ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', ...packages],
    'pip could not install the packages',
    'see the output above, and check the network connection and the free disk space (about 3 GB).',
  );
}

/** @returns {{command: string, version: string}} the first Python that is new enough */
function findPython() {
  const seen = [];
  for (const command of PYTHONS) {
    const result = spawnSync(command, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'], {
      encoding: 'utf8',
    });
    if (result.status !== 0) continue;
    const version = result.stdout.trim();
    seen.push(`${command} ${version}`);
    if (isNewEnough(version)) return { command, version };
  }
  throw new SetupError(
    seen.length === 0 ? 'Python was not found.' : `No Python is new enough: found ${seen.join(', ')}.`,
    `install Python ${OLDEST_PYTHON.major}.${OLDEST_PYTHON.minor} or newer from https://python.org, then run the command again.`,
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

/** @param {string[]} files - paths from the root that determine the contents of a folder */
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
 * Stores the fingerprint of a complete folder; written last, so that an interrupted setup is repeated.
 *
 * @param {string} folder
 * @param {string} wanted - fingerprint
 */
function stamp(folder, wanted) {
  const file = join(folder, STAMP);
  // Removed first: where a folder was copied by hard links, the stamp of the other copy must not change.
  rmSync(file, { force: true });
  writeFileSync(file, wanted);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} what - the message if it fails
 * @param {string} remedy
 */
function run(command, args, what, remedy) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error !== undefined || status !== 0)
    throw new SetupError(`${what}${error ? ` (${error.message})` : ''}.`, remedy);
}
