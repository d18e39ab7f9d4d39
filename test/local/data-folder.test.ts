/** The data folder: locked by one local cloud, and unlocked if that was killed. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readAddress } from '../../lib/local/address.ts';
import { FORMAT, openDataFolder, requireSpace } from '../../lib/local/data-folder.ts';
import { ownerOf } from '../../lib/local/lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxytune-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('creates a folder with its parents, locks it, and releases it', () => {
  const deep = join(folder, 'a b/ü');
  const close = openDataFolder(deep);
  expect(readFileSync(join(deep, 'lock/1'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\S+$`));
  expect(() => openDataFolder(deep)).toThrow(expect.objectContaining({ name: 'RunActive' }));
  close();
  openDataFolder(deep)();
});

/** A lock of another process: this test's parent, with its start time. */
function lockForParent(): void {
  const start = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  mkdirSync(join(folder, 'lock'), { recursive: true });
  writeFileSync(join(folder, 'lock/7'), `${process.ppid} ${start}`);
}

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('rejects a folder that a running process has locked', () => {
  openDataFolder(folder)();
  lockForParent();
  expect(ownerOf(folder)).toBe(process.ppid);
  expect(() => openDataFolder(folder)).toThrow(
    expect.objectContaining({
      name: 'RunActive',
      message: expect.stringContaining(`process ${process.ppid}`),
    }),
  );
});

test.each([
  ['a reused process id', `${process.ppid} 1`],
  ['a process that has ended', '999999999 1'],
  ['an empty lock', ''],
  ['another file', 'abc'],
])('%s does not lock a folder', (_, content) => {
  mkdirSync(join(folder, 'lock'));
  writeFileSync(join(folder, 'lock/7'), content);
  expect(ownerOf(folder)).toBeUndefined();
  openDataFolder(folder)();
});

test('a lock of an earlier version, which is a file, counts while its process runs', () => {
  writeFileSync(join(folder, 'lock'), String(process.ppid));
  expect(() => openDataFolder(folder)).toThrow(expect.objectContaining({ name: 'RunActive' }));
  writeFileSync(join(folder, 'lock'), '999999999 1');
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

onLinux('a full disk is named, with the folder', () => {
  // Nothing can be stored in /proc, which therefore has no free blocks.
  expect(() => requireSpace('/proc')).toThrow(
    expect.objectContaining({ name: 'OutOfDisk', message: expect.stringContaining('/proc, with 0 MB free') }),
  );
  expect(() => requireSpace(folder)).not.toThrow();
});

describe('the format of the folder', () => {
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const rejection = () => {
    try {
      openDataFolder(folder)();
    } catch (error) {
      return error as Error;
    }
  };

  test.each([
    ['an empty file', ''],
    ['garbage', 'gar\u001b[31mbage\nx'],
    ['a large file', 'x'.repeat(3000)],
  ])('of %s is unknown, and is not printed', (_, content) => {
    write('format', content);
    expect(rejection()?.message).toContain('of format unknown. ');
  });

  test('of a folder in its place is unknown', () => {
    write('format/file', '');
    expect(rejection()).toMatchObject({ name: 'DataFolderOutdated' });
  });

  onLinux('of a running cloud of another version is refused to those who only read', () => {
    openDataFolder(folder)();
    lockForParent();
    write('cloud.json', '{"environment": {}, "outputs": {}}');
    expect(readAddress(folder)).toEqual({ environment: {}, outputs: {} });
    write('format', '1');
    expect(() => readAddress(folder)).toThrow(expect.objectContaining({ name: 'DataFolderOutdated' }));
  });

  test('is written once, also next to files of commands that need no local cloud', () => {
    write('models/sdxl/config.json', '{}');
    write('runs/rex-0a1b2c3d/generated/1/index.html', 'a page');
    write('setup.lock', '1');
    openDataFolder(folder)();
    expect(readFileSync(join(folder, 'format'), 'utf8')).toBe(`${FORMAT}\n`);
    write('states/executions.json', '{}');
    openDataFolder(folder)();
  });

  test.each([
    ['an older version, without a format', { 'emulator/port': '4566' }, 'without a format'],
    ['an older version without an emulator', { 'states/executions.json': '{}' }, 'without a format'],
    ['another format', { format: '1\n', 'sagemaker/jobs.json': '{}' }, 'of format 1'],
    ['a newer version', { format: '999\n' }, 'of format 999'],
  ])('rejects a folder of %s, and leaves it as it is', (_, files, given) => {
    for (const [path, content] of Object.entries(files)) write(path, content);
    expect(rejection()).toMatchObject({
      name: 'DataFolderOutdated',
      message: expect.stringContaining(`Given: ${folder}, ${given}. Allowed: a new folder, or one of format`),
    });
    for (const [path, content] of Object.entries(files))
      expect(readFileSync(join(folder, path), 'utf8')).toBe(content);
    expect(ownerOf(folder)).toBeUndefined();
  });
});
