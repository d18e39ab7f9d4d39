/** The command line as a user meets it: its own process, its own data folder, Ctrl-C and even kill -9. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MINUTE = 60_000;
const root = join(import.meta.dirname, '../..');
const door = join(root, 'bin/proxytune.mjs');
const example = join(root, 'examples/toy');
const small = ['--proxies', '12', '--set', 'advanced.sample.prompts=2', '--set', 'advanced.teach.steps=150'];
const data = mkdtempSync(join(tmpdir(), 'proxytune-cli-'));

const alive = new Set<ChildProcess>();

afterAll(() => {
  // Only a test that failed leaves one; its door hands the signal on.
  for (const child of alive) child.kill('SIGTERM');
  rmSync(data, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly seen: () => string;
}

function start(args: readonly string[]): Started {
  const child = spawn(process.execPath, [door, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  alive.add(child);
  child.on('close', () => alive.delete(child));
  let out = '';
  let err = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  child.stderr?.on('data', (text) => {
    err += text;
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
  return { child, ended, seen: () => out };
}

const call = (...args: string[]): Promise<Ended> => start(args).ended;

/** Waits until the teacher has learnt for some steps. */
async function untilTeaching({ seen, ended }: Started): Promise<void> {
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (teachSteps(seen()) < 15) {
    if (over) throw new Error(`it ended before it taught: ${(await ended).err}`);
    await sleep(100);
  }
}

function teachSteps(out: string): number {
  const line = out.split('\n').at(-2) ?? '{}';
  const stages: { stage: string; state: string; step: number }[] = JSON.parse(line).stages ?? [];
  return stages.find(({ stage, state }) => stage === 'teach' && state === 'running')?.step ?? 0;
}

/** Processes that belong to the data folder: it stands in their arguments or environment. */
function processesOf(folder: string): string[] {
  if (!existsSync('/proc/self/environ')) {
    return execFileSync('ps', ['axeww', '-o', 'pid,command'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(folder) && !line.includes('ps axeww'));
  }
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      try {
        return ['cmdline', 'environ'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(folder),
        );
      } catch {
        return false;
      }
    });
}

async function untilNothingRuns(): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (processesOf(data).length > 0 && Date.now() < deadline) await sleep(200);
  expect(processesOf(data)).toEqual([]);
}

test(
  'Ctrl-C stops a run and says how to go on, and going on ends in a report',
  async () => {
    const started = start(['run', '--local', example, '--data', data, '--json', ...small]);
    const { child, ended } = started;
    await untilTeaching(started);
    child.kill('SIGINT');
    // The door takes no part in Ctrl-C, which a terminal sends to both; here the child behind it gets its own.
    for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGINT');
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    const { runId: run } = JSON.parse(stopped.out.trim().split('\n').at(-1) ?? '');
    expect(run).toMatch(/^toy-[0-9a-f]{8}$/);
    await untilNothingRuns();

    const status = JSON.parse((await call('status', run, '--data', data, '--json')).out);
    expect(status).toMatchObject({ runId: run, status: 'STOPPED', error: 'Interrupted' });
    expect(status.message).toContain(`npx proxytune run --local --resume ${run}`);
    expect(status.message).toContain(`npx proxytune run --local --resume ${run}`);

    const resumed = await call('run', '--local', '--resume', run, '--data', data);
    expect({ code: resumed.code, err: resumed.err }).toMatchObject({ code: 0 });
    const page = resumed.out.trim().split('\n').at(-1) ?? '';
    expect(page).toBe(join(data, 'runs', run, 'report/index.html'));
    expect(readFileSync(page, 'utf8')).toContain('<!doctype html>');
    await untilNothingRuns();

    const report = await call('report', '--data', data, '--json');
    expect(JSON.parse(report.out)).toEqual({ runId: run, report: page });
    const runs = JSON.parse((await call('status', '--data', data, '--json')).out);
    expect(runs).toMatchObject([{ runId: run, status: 'SUCCEEDED' }]);
  },
  8 * MINUTE,
);

function childrenOf(pid: number | undefined): number[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === pid).map(([own = 0]) => own);
}

test(
  'nothing is left behind when the command line is killed without a word',
  async () => {
    const started = start(['run', '--local', example, '--data', data, '--json', ...small]);
    const { child, ended } = started;
    await untilTeaching(started);
    for (const pid of [...childrenOf(child.pid), child.pid ?? 0]) process.kill(pid, 'SIGKILL');
    await ended;
    await untilNothingRuns();
    // The folder is usable again, and the cut-off run is known to be over.
    const runs = await call('status', '--data', data, '--json');
    expect(runs.code).toBe(0);
    expect(JSON.parse(runs.out)[0].status).not.toBe('SUCCEEDED');
  },
  4 * MINUTE,
);

test(
  'photos that cannot be used end the run with exit code 3 before any job',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'proxytune-photos-'));
    writeFileSync(join(folder, 'empty.jpg'), '');
    writeFileSync(join(folder, 'text.jpg'), 'no picture');
    const refused = await call(
      'run',
      '--local',
      folder,
      '--data',
      data,
      '--category',
      'dog',
      '--consent',
      '--subject',
      'none',
    );
    rmSync(folder, { recursive: true, force: true });
    expect(refused.code).toBe(3);
    expect(refused.err).toContain('PhotosRejected');
    for (const file of ['empty.jpg', 'text.jpg']) expect(refused.err).toContain(file);
    expect(refused.err).toContain('What to do:');
    expect(refused.err).not.toMatch(/\n\s+at /);
  },
  2 * MINUTE,
);

test.each([
  [['run', example], 2, 'UsageInvalid'],
  [['run', '--local', join(example, 'nowhere'), '--category', 'dog'], 2, 'FolderMissing'],
  [['run', '--local', example, '--set', 'categry=dog'], 3, 'did you mean category?'],
  [['run', '--local', example, '--teacher', 'dalle'], 2, 'sdxl'],
  [['plan', join(example, 'nowhere')], 2, 'FolderMissing'],
  [['check', join(example, 'nowhere')], 2, 'FolderMissing'],
  [['bake'], 2, 'unknown command'],
] as const)('%j ends with code %d and says %s', async (args, code, text) => {
  const ended = await call(...args);
  expect({ code: ended.code, says: ended.err.includes(text), err: ended.err }).toMatchObject({
    code,
    says: true,
  });
  expect(ended.err).not.toMatch(/\n\s+at /);
});

test('plan and check give data when asked', async () => {
  const plan = await call('plan', example, '--json');
  expect(JSON.parse(plan.out)).toMatchObject({ subject: 'toy', models: { teacher: { id: 'sdxl' } } });
  const check = await call('check', join(example, 'photos'), '--json');
  expect(check.code).toBe(0);
  expect(JSON.parse(check.out)).toHaveLength(5);
  expect(JSON.parse(check.out)[0]).toMatchObject({ verdict: 'accept', findings: [] });
});
