import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipFolder } from '../../../lib/local/deploy/zip.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import { temporaryFolder } from '../emulator/helpers.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with the same files, written in an order at a time. */
function filled(name: string, files: readonly string[], time: number): string {
  const path = join(folder, name);
  for (const file of files) {
    mkdirSync(join(path, file, '..'), { recursive: true });
    writeFileSync(join(path, file), `in ${file}`);
    utimesSync(join(path, file), time, time);
  }
  chmodSync(join(path, 'run.sh'), 0o755);
  return path;
}

describe('zipFolder', () => {
  it('gives the same bytes for the same files, independent of order and time of writing', async () => {
    const first = await zipFolder(filled('first', ['a/b.txt', 'é.txt', 'run.sh'], 1_000_000_000));
    const second = await zipFolder(filled('second', ['run.sh', 'é.txt', 'a/b.txt'], 1_700_000_000));
    expect(first.equals(second)).toBe(true);
    writeFileSync(join(folder, 'second/a/b.txt'), 'other');
    expect(first.equals(await zipFolder(join(folder, 'second')))).toBe(false);
  });

  it('is readable by other tools, and executables stay executable', async () => {
    const archive = join(folder, 'archive.zip');
    writeFileSync(archive, await zipFolder(filled('read', ['run.sh', 'a/b.txt', 'é.txt'], 1_000_000_000)));
    const script = `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
print([(i.filename, oct(i.external_attr >> 16), z.read(i).decode()) for i in z.infolist()])`;
    expect(execFileSync(PYTHON, ['-c', script, archive], { encoding: 'utf8' }).trim()).toBe(
      "[('a/b.txt', '0o100644', 'in a/b.txt'), ('run.sh', '0o100755', 'in run.sh'), ('é.txt', '0o100644', 'in é.txt')]",
    );
    expect(statSync(archive).size).toBeGreaterThan(0);
  });
});
