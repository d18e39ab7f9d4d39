import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalCloud } from '../../lib/local/cloud.ts';
import { FORMAT } from '../../lib/local/data-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-cloud-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('starts again on another port if a process takes the chosen one before the emulator has it', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  mkdirSync(join(folder, 'emulator'));
  writeFileSync(join(folder, 'emulator/port'), String(port));
  writeFileSync(join(folder, 'format'), FORMAT);

  const stop = new AbortController();
  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
    if (line.startsWith('The emulator is listening')) stop.abort(new Error('far enough'));
  };
  const starting = startLocalCloud({ dataDir: folder, signal: stop.signal, log });
  const failed = expect(starting).rejects.toThrow('far enough');
  // The services create their folders after the port is chosen, and the emulator starts after them.
  while (!existsSync(join(folder, 'sagemaker'))) await sleep(1);
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  try {
    await failed;
    expect(lines.filter((line) => line.includes('The emulator is listening'))).toEqual([
      expect.not.stringContaining(`:${port}`),
    ]);
  } finally {
    other.close();
  }
}, 60_000);
