/**
 * `npm test`: runs every tier, even if one fails, and ends with one line with the count.
 * `npm test -- jest pytest` runs the named steps only.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { PYTHON, ROOT } from './setup.mjs';

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Reads the step's own count. @default - the step counts as one test */
  readonly count?: () => Count | undefined;
  /** Run it in parallel to the steps before `end-to-end`, on half of the processors. @default false */
  readonly parallel?: boolean;
}

const results = join(ROOT, 'build/test-results');
const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);
const venv = (name: string): string => join(ROOT, '.venv/bin', name);
const containers = join(ROOT, 'containers');

// Half of the time of all Python tests.
const MINIATURE = ['tests/drawn_world', 'tests/dev/pretraining', 'tests/dev/drawn_subjects'];

/** Arguments of ruff: its settings, which it does not find from the emulator, and all folders with Python. */
const PYTHON_CODE = [
  ...['--config', 'pyproject.toml', '.'],
  ...['lib', 'test'].map((folder) => join(ROOT, folder, 'local/emulator')),
];

const STEPS: readonly Step[] = [
  { name: 'lint', command: [bin('biome'), 'ci'] },
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  {
    name: 'imports',
    command: [bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'bin', 'lib', 'lambdas'],
  },
  { name: 'python-lint', command: [venv('ruff'), 'check', ...PYTHON_CODE], cwd: containers },
  { name: 'python-format', command: [venv('ruff'), 'format', '--check', ...PYTHON_CODE], cwd: containers },
  { name: 'python-types', command: [venv('mypy'), 'proxytune', 'dev'], cwd: containers },
  { name: 'synth', command: [bin('cdk'), 'synth', '--quiet'] },
  jest('jest', ['--testPathIgnorePatterns', '/end-to-end/']),
  // Half of the total time, on one processor each: in two parts they use two processors when jest is done.
  {
    ...pytest('pytest', containers, [...MINIATURE.flatMap((folder) => ['--ignore', folder])]),
    parallel: true,
  },
  { ...pytest('miniature', containers, MINIATURE), parallel: true },
  pytest('emulator', join(ROOT, 'test/local/emulator'), ['-p', 'no:cacheprovider', '-q', '.']),
  jest('end-to-end', ['--runInBand', 'test/end-to-end']),
];

function jest(name: string, args: readonly string[]): Step {
  const file = join(results, `${name}.json`);
  const options = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    bin('jest'),
    '--json',
    '--outputFile',
    file,
  ];
  return { name, command: [process.execPath, ...options, ...args], count: () => countJest(file) };
}

function pytest(name: string, cwd: string, args: readonly string[]): Step {
  const file = join(results, `${name}.xml`);
  return {
    name,
    cwd,
    command: [PYTHON, '-m', 'pytest', '--junitxml', file, ...args],
    count: () => countJunit(file),
  };
}

function countJest(file: string): Count | undefined {
  if (!existsSync(file)) return undefined;
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(file, 'utf8'));
  // A suite that failed to load has no tests, and must not pass unnoticed.
  return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites) };
}

function countJunit(file: string): Count | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const read = (name: string): number =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const failed = read('failures') + read('errors');
  return { passed: read('tests') - failed - read('skipped'), failed };
}

async function runStep(step: Step): Promise<Count> {
  const started = Date.now();
  process.stdout.write(`\n== ${step.name}\n`);
  const code = await finished(step.command, { cwd: step.cwd ?? ROOT, stdio: ['ignore', 1, 1] });
  return counted(step, code, started);
}

/** Runs a step in parallel to others and prints its output when it is over. */
async function runInParallel(step: Step): Promise<Count> {
  const started = Date.now();
  const file = join(results, `${step.name}.log`);
  const log = openSync(file, 'w');
  process.stdout.write(`\n== ${step.name} runs in parallel to the next steps; its output goes to ${file}\n`);
  const threads = String(Math.max(1, Math.floor(availableParallelism() / 2)));
  const code = await finished(step.command, {
    cwd: step.cwd ?? ROOT,
    stdio: ['ignore', log, log],
    env: { ...process.env, OMP_NUM_THREADS: threads },
  });
  closeSync(log);
  process.stdout.write(`\n== ${step.name}\n${readFileSync(file, 'utf8')}`);
  return counted(step, code, started);
}

function counted(step: Step, code: number, started: number): Count {
  const own = step.count?.() ?? { passed: code === 0 ? 1 : 0, failed: 0 };
  // The exit code decides: a runner that crashed may have counted nothing.
  const count = code === 0 ? own : { ...own, failed: Math.max(1, own.failed) };
  const seconds = Math.round((Date.now() - started) / 1000);
  process.stdout.write(`== ${step.name}: ${count.passed} passed, ${count.failed} failed (${seconds} s)\n`);
  return count;
}

function finished([command = '', ...args]: readonly string[], options: SpawnOptions): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, options);
    child.on('error', (error) => {
      process.stdout.write(`${error.message}\n`);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `Unknown step: ${unknown.join(', ')}. The steps are: ${STEPS.map((step) => step.name).join(', ')}.\n`,
  );
  process.exit(2);
}
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const steps = STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const alone = steps.length === 1;
const parallel = alone ? [] : steps.filter((step) => step.parallel).map(runInParallel);
const counts: Count[] = [];
for (const step of steps.filter((one) => alone || one.parallel !== true)) {
  // The pipeline has heartbeats and grace times, which a busy machine would exceed.
  if (step.name === 'end-to-end') counts.push(...(await Promise.all(parallel.splice(0))));
  counts.push(await runStep(step));
}
counts.push(...(await Promise.all(parallel)));
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
