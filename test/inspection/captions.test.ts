/** Captions next to photos, as files: read within limits, and written next to their references. */
import type { CaptionSubject } from '../../lib/core/photos/captions.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { inspectPhotos } from '../../lib/inspection/inspect.ts';
import type { PhotoSource } from '../../lib/inspection/source.ts';
import { scene, source, threePhotos } from './pictures.ts';

const subject: CaptionSubject = { category: 'dog', tokenWord: 'ohwx', vocabulary: null };
const text = (file: string, content: string): PhotoSource => source(file, Buffer.from(content));

let photos: PhotoSource[];
beforeAll(async () => {
  photos = await threePhotos(520);
});

async function run(...companions: PhotoSource[]) {
  const written: Record<string, string> = {};
  const inspection = await inspectPhotos([...companions, ...photos], {
    subject,
    writeReference: async (name, content, contentType) => {
      written[name] = contentType === 'image/png' ? 'png' : content.toString();
    },
  });
  const codes = Object.fromEntries(
    inspection.companions.map(({ file, findings }) => [file, findings.map(({ code }) => code)]),
  );
  return { ...inspection, written, codes };
}

test('each reference has the caption of its photo, and only that', async () => {
  const {
    written,
    references,
    companions,
    photos: judged,
    refused,
  } = await run(text('c.txt', '\uFEFFa dog by a lake\n'), text('a.TXT', 'a photo of {subject}'));
  expect(refused).toBe(false);
  expect(written).toEqual({
    'reference-00.png': 'png',
    'reference-00.txt': 'a photo of ohwx dog\n',
    'reference-01.png': 'png',
    'reference-02.png': 'png',
    'reference-02.txt': 'a ohwx dog by a lake\n',
  });
  expect(references.map(({ caption }) => caption?.file)).toEqual(['a.TXT', undefined, 'c.txt']);
  expect(companions.map(({ file, verdict }) => [file, verdict])).toEqual([
    ['a.TXT', 'accept'],
    ['c.txt', 'accept'],
  ]);
  // Captions are not photos: they neither count nor appear among them.
  expect(judged.map(({ file }) => file)).toEqual(['a.jpg', 'b.jpg', 'c.png']);
});

test.each([
  ['a.txt', Buffer.from([0xff, 0xfe, 0x61, 0]), 'caption-not-utf8'],
  ['a.txt', Buffer.from('a dog \x1b[2J'), 'caption-characters'],
  ['a.txt', Buffer.from(' \n'), 'caption-empty'],
  ['d.txt', Buffer.from('a dog'), 'caption-without-photo'],
  ['a.jpg.txt', Buffer.from('a dog'), 'caption-without-photo'],
  ['a.txt', Buffer.from(`a dog ${'x'.repeat(1200)}`), 'caption-too-long'],
] as const)('%s is refused: %s', async (file, content, code) => {
  const { codes, refused, accepted, references } = await run(source(file, Buffer.from(content)));
  expect(codes).toEqual({ [file]: [code] });
  expect({ refused, accepted }).toEqual({ refused: true, accepted: 3 });
  expect(references.every(({ caption }) => caption === undefined)).toBe(true);
});

test('an image under the name of a caption is named as one', async () => {
  const { companions } = await run(source('a.txt', await scene(9, 8).png().toBuffer()));
  expect(companions[0]?.findings[0]?.message).toContain('an image of the format png');
});

test('a file too long for any caption is not read; one that cannot be read is a finding', async () => {
  const never = { file: 'a.txt', bytes: 4004, read: () => Promise.reject(new Error('read')) };
  const locked = { file: 'b.txt', bytes: 9, read: async () => ({ unreadable: 'EACCES' }) };
  const { codes } = await run(never, locked);
  expect(codes).toEqual({ 'a.txt': ['caption-too-long'], 'b.txt': ['unreadable'] });
});

test('what is ignored next to photos has no caption', async () => {
  const { codes } = await run(text('notes.md', 'x'), text('notes.txt', 'a dog'), text('._a.txt', 'x'));
  expect(codes).toEqual({ 'notes.txt': ['caption-without-photo'] });
});

test('thousands of texts are counted, not read', async () => {
  const many = Array.from({ length: 2000 }, (_, i) => text(`t${i + 1000}.txt`, 'a dog'));
  const { companions, set } = await run(...many);
  expect(companions).toHaveLength(PHOTO_LIMITS.maxInspected);
  expect(set).toMatchObject([{ code: 'too-many-companions', file: '.' }]);
  expect(set[0]?.message).toContain('2000 files');
});
