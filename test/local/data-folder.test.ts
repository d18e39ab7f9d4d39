/** The data folder: locked by one local cloud, and unlocked if that was killed. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataFolder } from '../../lib/local/data-folder.ts';
import { ownerOf } from '../../lib/local/lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxytune-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('creates a folder with its parents, locks it, and releases it', () => {
  const deep = join(folder, 'a b/ü');
  const close = openDataFolder(deep);
  expect(readFileSync(join(deep, 'lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\S+$`));
  close();
  openDataFolder(deep)();
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('rejects a folder that a running process has locked', () => {
  const close = openDataFolder(folder);
  // A lock of another process: this test's parent, with its start time.
  const start = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  writeFileSync(join(folder, 'lock'), `${process.ppid} ${start}`);
  expect(ownerOf(folder)).toBe(process.ppid);
  expect(() => openDataFolder(folder)).toThrow(expect.objectContaining({ name: 'RunActive' }));
  close();
});

test.each([
  ['a reused process id', `${process.ppid} 1`],
  ['a process that has ended', '999999999 1'],
  ['an empty lock', ''],
  ['another file', 'abc'],
])('%s does not lock a folder', (_, content) => {
  writeFileSync(join(folder, 'lock'), content);
  expect(ownerOf(folder)).toBeUndefined();
  openDataFolder(folder)();
});

test('a folder in place of the lock file does not lock a folder', () => {
  mkdirSync(join(folder, 'lock'));
  openDataFolder(folder)();
});

test('reports where no folder can be created instead of trying forever', () => {
  writeFileSync(join(folder, 'file'), '');
  const impossible = [
    join(folder, 'file/data'),
    ...(process.platform === 'linux' ? ['/proc/none/data'] : []),
  ];
  for (const path of impossible)
    expect(() => openDataFolder(path)).toThrow(expect.objectContaining({ name: 'LocalCloudFailed' }));
});
