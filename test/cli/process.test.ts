/** The command line as a process that loses its reader, its parent or the user's patience. */
import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '../..');
const example = join(root, 'examples/toy');
const data = mkdtempSync(join(tmpdir(), 'proxytune-process-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

function start(script: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  let err = '';
  child.stderr?.on('data', (text) => {
    err += text;
  });
  const [code] = await once(child, 'close');
  return { code, err };
}

/** Waits until the command has said a line; its output goes on to flow. */
async function said(child: ChildProcess, line: string): Promise<void> {
  let out = '';
  for await (const [text] of on(child.stdout as NodeJS.ReadableStream, 'data', { close: ['close'] })) {
    out += text;
    if (out.includes(line)) return;
  }
  throw new Error(`It ended without "${line}": ${out}`);
}

/** Numbers of the processes in whose arguments the data folder stands. */
function processes(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
    } catch {
      return false;
    }
  });
}

test('a reader that goes away ends a command without a word', async () => {
  const child = start('bin/proxytune.ts', 'check', join(example, 'photos'));
  child.stdout?.destroy();
  const { code, err } = await ended(child);
  expect({ code, trace: /\n\s+at /.test(err) }).toEqual({ code: 141, trace: false });
});

test('Ctrl-C while the cloud starts ends it at once, and names no other fault', async () => {
  const child = start('bin/proxytune.mjs', 'run', '--local', example, '--data', data);
  const over = ended(child);
  await said(child, 'starting the local cloud');
  child.kill('SIGINT');
  // The terminal sends it to the entry point and to its child; both are one press.
  await sleep(100);
  child.kill('SIGINT');
  const { code, err } = await over;
  expect(code).toBe(130);
  expect(err).toContain('Interrupted: Stopped before it was done');
  expect(err).not.toMatch(/LocalCloudFailed|\n\s+at /);
}, 60_000);

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux(
  'an entry point that is killed takes its children along',
  async () => {
    const entry = start('bin/proxytune.mjs', 'local', '--data', data);
    await said(entry, 'starting the local cloud');
    expect(processes().length).toBeGreaterThan(1);
    entry.kill('SIGKILL');
    const deadline = Date.now() + 30_000;
    while (processes().length > 0 && Date.now() < deadline) await sleep(200);
    expect(processes()).toEqual([]);
  },
  60_000,
);
