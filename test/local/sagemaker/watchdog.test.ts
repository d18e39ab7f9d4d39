/** The watchdog ends the watched processes when its service dies, even after it was killed itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Watchdog } from '../../../lib/local/sagemaker/container/watchdog.ts';

test('a killed guard is restarted with the groups it watched', async () => {
  const warned: string[] = [];
  const before = await guards();
  const watchdog = new Watchdog((message) => warned.push(message));
  const container = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  const ended = once(container, 'exit');
  watchdog.watch(container.pid ?? 0);
  const [guard] = (await guards()).filter((pid) => !before.includes(pid));
  process.kill(guard ?? 0, 'SIGKILL');
  while (warned.length === 0) await sleep(20);
  expect(warned[0]).toContain('restarting it');
  expect(container.exitCode).toBeNull();
  // A closed watchdog ends the groups it still watches, like one whose service died.
  await watchdog.close();
  expect((await ended)[1]).toBe('SIGTERM');
});

/** Process ids of this process's guards. */
async function guards(): Promise<number[]> {
  const ps = spawn('ps', ['-A', '-o', 'pid=,ppid=,args='], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const part of ps.stdout) text += part;
  return text
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((row) => Number(row?.[2]) === process.pid && row?.[3]?.includes('guard.ts'))
    .map((row) => Number(row?.[1]));
}
