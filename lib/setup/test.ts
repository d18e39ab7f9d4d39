/**
 * `npm test`: every tier, one after another, all of them even when one fails, and at the end one line with the count.
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
  /** Reads what the step counted itself. @default - the step counts as one test */
  readonly count?: () => Count | undefined;
  /** Run it beside the steps before `end-to-end`, on half of the processors. @default false */
  readonly beside?: boolean;
}

const results = join(ROOT, 'build/test-results');
const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);
const venv = (name: string): string => join(ROOT, '.venv/bin', name);
const containers = join(ROOT, 'containers');

const STEPS: readonly Step[] = [
  { name: 'lint', command: [bin('biome'), 'ci'] },
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  {
    name: 'arrows',
    command: [bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'bin', 'lib', 'lambdas'],
  },
  { name: 'python-lint', command: [venv('ruff'), 'check', '.'], cwd: containers },
  { name: 'python-format', command: [venv('ruff'), 'format', '--check', '.'], cwd: containers },
  { name: 'python-types', command: [venv('mypy'), 'proxytune', 'tools'], cwd: containers },
  { name: 'synth', command: [bin('cdk'), 'synth', '--quiet'] },
  jest('jest', ['--testPathIgnorePatterns', '/end-to-end/']),
  // Half of the whole time, each on one processor: in two parts they use two when jest is done.
  { ...pytest('pytest', containers, ['--ignore', 'tests/miniature']), beside: true },
  { ...pytest('miniature', containers, ['tests/miniature']), beside: true },
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
  // A suite that did not even load has no tests of its own, and must not pass unseen.
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

/** Runs a step beside others; what it printed is shown when it is over, in one piece. */
async function runBeside(step: Step): Promise<Count> {
  const started = Date.now();
  const file = join(results, `${step.name}.log`);
  const log = openSync(file, 'w');
  process.stdout.write(`\n== ${step.name} runs beside the next steps; what it prints goes to ${file}\n`);
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
  // The exit code has the last word: a runner that broke may have counted nothing.
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
    `No such step: ${unknown.join(', ')}. There are: ${STEPS.map((step) => step.name).join(', ')}.\n`,
  );
  process.exit(2);
}
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const steps = STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const alone = steps.length === 1;
const beside = alone ? [] : steps.filter((step) => step.beside).map(runBeside);
const counts: Count[] = [];
for (const step of steps.filter(({ beside }) => alone || beside !== true)) {
  // The whole road has heartbeats and grace times, which a busy machine would stretch.
  if (step.name === 'end-to-end') counts.push(...(await Promise.all(beside.splice(0))));
  counts.push(await runStep(step));
}
counts.push(...(await Promise.all(beside)));
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
