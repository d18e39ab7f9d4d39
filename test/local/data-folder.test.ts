/** The data folder: taken by one local cloud, and given free by one that was killed. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataFolder } from '../../lib/local/data-folder.ts';
import { holderOf } from '../../lib/local/lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxytune-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a folder is made with its parents, held, and given back', () => {
  const deep = join(folder, 'a b/ü');
  const close = openDataFolder(deep);
  expect(readFileSync(join(deep, 'lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\S+$`));
  close();
  openDataFolder(deep)();
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('a living holder keeps others out', () => {
  const close = openDataFolder(folder);
  // The same lock as another process sees it: this test's parent is alive, and so is its start.
  const start = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  writeFileSync(join(folder, 'lock'), `${process.ppid} ${start}`);
  expect(holderOf(folder)).toBe(process.ppid);
  expect(() => openDataFolder(folder)).toThrow(expect.objectContaining({ name: 'RunActive' }));
  close();
});

test.each([
  ['a number that another process has by now', `${process.ppid} 1`],
  ['a process that is gone', '999999999 1'],
  ['half a lock', ''],
  ['no lock of ours', 'abc'],
])('%s holds nothing', (_, content) => {
  writeFileSync(join(folder, 'lock'), content);
  expect(holderOf(folder)).toBeUndefined();
  openDataFolder(folder)();
});

test('a folder in the place of the lock holds nothing', () => {
  mkdirSync(join(folder, 'lock'));
  openDataFolder(folder)();
});

test('where no folder can be made, that is said and not tried for ever', () => {
  writeFileSync(join(folder, 'file'), '');
  const impossible = [
    join(folder, 'file/data'),
    ...(process.platform === 'linux' ? ['/proc/none/data'] : []),
  ];
  for (const path of impossible)
    expect(() => openDataFolder(path)).toThrow(expect.objectContaining({ name: 'LocalCloudFailed' }));
});
