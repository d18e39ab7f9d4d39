/** `proxytune check` on real folders. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from '../../lib/cli/commands/check.ts';
import { captionSubjectOf } from '../../lib/cli/subject.ts';
import { scene } from '../inspection/pictures.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'proxytune-check-'));
  for (const seed of [1, 2, 3])
    await writeFile(join(dir, `0${seed}.jpg`), await scene(seed).jpeg().toBuffer());
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function run(json = false, folder = dir): Promise<{ code: number; text: string }> {
  let text = '';
  const code = await check(folder, { json, out: { write: (part) => (text += part) } });
  return { code, text };
}

test('good photos: a line each, exit 0', async () => {
  await writeFile(join(dir, '.DS_Store'), 'x');
  const { code, text } = await run();
  expect(code).toBe(0);
  expect(text.split('\n')).toEqual([
    'accept  01.jpg',
    'accept  02.jpg',
    'accept  03.jpg',
    'Usable: 3 of 3 photos usable, 0 warnings.',
    '',
  ]);
});

test('a refused folder: reason and remedy below the photo, exit 3', async () => {
  await writeFile(join(dir, 'mon chien + été.jpg'), '');
  const { code, text } = await run();
  expect(code).toBe(3);
  expect(text).toMatch(
    /reject {2}mon chien \+ été\.jpg\n +empty-file: is an empty file\.\n +Copy the photo again/,
  );
  expect(text).toContain('Refused: 3 of 4 photos usable');
});

test('JSON is one array of file, verdict and findings; the set stands under "."', async () => {
  await writeFile(join(dir, '.DS_Store'), 'x');
  await rm(join(dir, '03.jpg'));
  await mkdir(join(dir, 'more'));
  await writeFile(join(dir, 'more', '04.jpg'), 'text');
  const { code, text } = await run(true);
  expect(code).toBe(3);
  const entries = JSON.parse(text);
  expect(entries.map(({ file, verdict }: { file: string; verdict: string }) => [file, verdict])).toEqual([
    ['.DS_Store', 'ignore'],
    ['01.jpg', 'accept'],
    ['02.jpg', 'accept'],
    ['more/04.jpg', 'reject'],
    ['.', 'reject'],
  ]);
  expect(entries[3].findings[0]).toEqual({
    code: 'not-an-image',
    severity: 'blocker',
    message: expect.stringContaining('is not an image'),
    remedy: expect.any(String),
  });
  expect(Object.keys(entries[3])).toEqual(['file', 'verdict', 'findings']);
});

test('captions are judged with the photos, by the category where it is known', async () => {
  await writeFile(join(dir, '01.txt'), 'a cat in a basket');
  await writeFile(join(dir, '02.txt'), 'a dog in a basket');
  const unknown = await run();
  expect(unknown.code).toBe(0);
  expect(unknown.text).toContain('accept  01.txt\n');
  expect(unknown.text).toContain('was not checked: give --category, or a subject.json');

  expect(captionSubjectOf(dir)).toBeUndefined();
  const subject = captionSubjectOf(dir, 'dog');
  expect(subject).toEqual({ category: 'dog', tokenWord: 'ohwx', vocabulary: null });
  let text = '';
  const code = await check(dir, { subject, out: { write: (part) => (text += part) } });
  expect(code).toBe(3);
  expect(text).toContain(
    'reject  01.txt\n        caption-without-subject: does not say where the subject is',
  );
  expect(text).toContain('accept  02.txt\n');
  expect(text).not.toContain('--category');

  await writeFile(
    join(dir, 'subject.json'),
    JSON.stringify({ category: 'mug', teacher: 'sdxl-miniature', student: 'llamagen-miniature' }),
  );
  expect(captionSubjectOf(dir)).toMatchObject({
    category: 'mug',
    vocabulary: expect.arrayContaining(['lawn']),
  });
  expect(() => captionSubjectOf(dir, 'cat')).toThrow('does not exist in the miniature world');
});

test('a path relative to the current folder names files the same', async () => {
  const { text } = await run(true, `${dir}/../${dir.split('/').at(-1)}/`);
  expect(JSON.parse(text).map(({ file }: { file: string }) => file)).toEqual(['01.jpg', '02.jpg', '03.jpg']);
});

test('what cannot be read is a finding, and the others are still judged', async () => {
  await symlink(join(dir, 'gone'), join(dir, '00.jpg'));
  if (process.getuid?.() !== 0) await chmod(join(dir, '01.jpg'), 0);
  const { code, text } = await run();
  expect(code).toBe(3);
  expect(text).toContain('reject  00.jpg\n        unreadable: cannot be read (ENOENT');
  expect(text).toContain('accept  03.jpg');
});

test('a missing folder has a named error', async () => {
  await expect(run(false, join(dir, 'none'))).rejects.toMatchObject({ name: 'FolderMissing' });
  await expect(run(false, join(dir, '01.jpg'))).rejects.toMatchObject({ name: 'FolderMissing' });
});

test('a name cannot command the terminal, and is whole in JSON', async () => {
  const name = '00\n\u001b[2J.jpg';
  await writeFile(join(dir, name), '');
  const { text } = await run();
  expect(text).toContain('reject  00\\u000a\\u001b[2J.jpg\n');
  expect(JSON.parse((await run(true)).text)[0].file).toBe(name);
});
