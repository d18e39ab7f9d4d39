/** Archives are compatible with Python's `tarfile`, which reads and writes the same formats as AWS. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pack, unpack } from '../../../lib/local/sagemaker/transfer/archive.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxytune-archive-'));
});
afterEach(() => rm(folder, { recursive: true }));

const LONG = `${'deep/'.repeat(30)}ünïcödé-${'n'.repeat(80)}.bin`;
const CONTENTS: Record<string, Buffer> = {
  'adapter.safetensors': Buffer.alloc(3 * 1024 * 1024 + 17, 'weights'),
  'empty.json': Buffer.alloc(0),
  'exact.bin': Buffer.alloc(1024, 7),
  [LONG]: Buffer.from('long'),
};

async function fill(target: string): Promise<void> {
  for (const [name, content] of Object.entries(CONTENTS)) {
    await mkdir(dirname(join(target, name)), { recursive: true });
    await writeFile(join(target, name), content);
  }
}

const python = (program: string, ...args: string[]) =>
  execFileSync('python3', ['-c', program, ...args], { encoding: 'utf8' });

/** Creates a tar.gz with one member. */
const WRITE_MEMBER = `
import io, sys, tarfile
archive, name, kind = sys.argv[1:]
with tarfile.open(archive, "w:gz") as tar:
    member = tarfile.TarInfo(name)
    member.type = getattr(tarfile, kind)
    member.linkname = "/etc/passwd"
    member.size = 2 if kind == "REGTYPE" else 0
    tar.addfile(member, io.BytesIO(b"hi"))
`;

test('Python can unpack our archives, with names relative to the folder; equal content gives equal bytes', async () => {
  await fill(join(folder, 'model'));
  await pack(join(folder, 'model'), join(folder, 'a.tar.gz'));
  await pack(join(folder, 'model'), join(folder, 'b.tar.gz'));
  expect(await readFile(join(folder, 'a.tar.gz'))).toEqual(await readFile(join(folder, 'b.tar.gz')));
  const read = 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")';
  python(read, join(folder, 'a.tar.gz'), join(folder, 'out'));
  for (const [name, content] of Object.entries(CONTENTS)) {
    expect((await readFile(join(folder, 'out', name))).equals(content)).toBe(true);
  }
});

test.each(['PAX_FORMAT', 'GNU_FORMAT', 'USTAR_FORMAT'])('unpacks what Python packs as %s', async (format) => {
  await fill(join(folder, 'model'));
  if (format === 'USTAR_FORMAT') await rm(join(folder, 'model/deep'), { recursive: true });
  const write =
    'import sys, tarfile; t = tarfile.open(sys.argv[1], "w:gz", format=getattr(tarfile, sys.argv[3])); ' +
    't.add(sys.argv[2], "."); t.close()';
  python(write, join(folder, 'a.tar.gz'), join(folder, 'model'), format);
  await unpack(join(folder, 'a.tar.gz'), join(folder, 'out'));
  for (const [name, content] of Object.entries(CONTENTS)) {
    if (format === 'USTAR_FORMAT' && name === LONG) continue;
    expect((await readFile(join(folder, 'out', name))).equals(content)).toBe(true);
  }
});

test.each([
  ['../outside.txt', 'REGTYPE', /leads out of its folder/],
  ['/outside.txt', 'REGTYPE', /leads out of its folder/],
  ['a/../../outside.txt', 'REGTYPE', /leads out of its folder/],
  ['link', 'SYMTYPE', /link or device/],
  ['hard', 'LNKTYPE', /link or device/],
])('a member %s of type %s is rejected', async (name, kind, message) => {
  python(WRITE_MEMBER, join(folder, 'a.tar.gz'), name, kind);
  await expect(unpack(join(folder, 'a.tar.gz'), join(folder, 'out'))).rejects.toThrow(message);
});

test('rejects a file that is not an archive, or a truncated one', async () => {
  await writeFile(join(folder, 'text.tar.gz'), 'no archive');
  await expect(unpack(join(folder, 'text.tar.gz'), join(folder, 'out'))).rejects.toThrow(
    /not a readable tar.gz/,
  );
  await fill(join(folder, 'model'));
  await pack(join(folder, 'model'), join(folder, 'a.tar.gz'));
  const complete = await readFile(join(folder, 'a.tar.gz'));
  await writeFile(join(folder, 'half.tar.gz'), complete.subarray(0, complete.length / 2));
  await expect(unpack(join(folder, 'half.tar.gz'), join(folder, 'out'))).rejects.toThrow(
    /not a readable tar.gz/,
  );
});

test('rejects a link in the model folder', async () => {
  await mkdir(join(folder, 'model'));
  await symlink('/etc/passwd', join(folder, 'model/link'));
  await expect(pack(join(folder, 'model'), join(folder, 'a.tar.gz'))).rejects.toThrow(
    /link is a link or device/,
  );
});
