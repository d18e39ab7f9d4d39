/** Verdicts from facts alone. */
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { assessPhotos, blockersOf, byName, findingLine } from '../../lib/core/photos/photos.ts';
import { isIgnoredName, type PhotoFacts, type PixelFacts } from '../../lib/core/photos/rules.ts';

const TONES = { darkest: 20, lightest: 220, burnt: 0, burntColour: 0 };

/** A good photo whose thumbnail is one shade, so that distances between photos are known. */
function photo(file: string, shade: number, pixels: Partial<PixelFacts> = {}): PhotoFacts {
  const size = { width: 1024, height: 1024 };
  const thumbnail = new Uint8Array(32 * 32 * 3).fill(shade);
  return {
    file,
    bytes: 1000,
    format: 'jpeg',
    header: { ...size, frames: 1 },
    pixels: { ...size, contrast: 50, sharpness: 500, tones: TONES, opaque: 1, thumbnail, ...pixels },
  };
}

const good = [photo('a.jpg', 0), photo('b.jpg', 50), photo('c.jpg', 100)];
const codesOf = (facts: PhotoFacts): string[] =>
  assessPhotos([facts]).photos.flatMap(({ findings }) => findings.map(({ code }) => code));

test('three good photos are enough', () => {
  const { photos, ...rest } = assessPhotos(good);
  expect(photos.map(({ verdict }) => verdict)).toEqual(['accept', 'accept', 'accept']);
  expect(rest).toEqual({ companions: [], set: [], accepted: 3, warnings: 0, refused: false });
});

test('everything is reported at once, the set included', () => {
  const assessment = assessPhotos([
    { file: 'a.jpg', bytes: 0 },
    { file: 'b.jpg', bytes: 10 },
    photo('c.jpg', 0, { sharpness: 1 }),
  ]);
  expect(blockersOf(assessment).map(({ file, code }) => `${file} ${code}`)).toEqual([
    'a.jpg empty-file',
    'b.jpg not-an-image',
    '. too-few-photos',
  ]);
  expect(assessment).toMatchObject({ accepted: 1, warnings: 1, refused: true });
  expect(blockersOf(assessment).map(findingLine)).toEqual([
    'a.jpg is an empty file',
    expect.stringMatching(/^b\.jpg is not an image/),
    '1 of 3 photos can be used, at least 3 are needed',
  ]);
});

test('one rejected photo refuses the run though enough others are good', () => {
  expect(assessPhotos([...good, { file: 'd.jpg', bytes: 0 }])).toMatchObject({ accepted: 3, refused: true });
});

test.each([
  ['minSide', { width: 256, height: 600 }, { width: 255, height: 600 }, 'too-small'],
  ['softSide', { width: 512, height: 600 }, { width: 511, height: 600 }, 'soft'],
  ['maxAspect', { width: 2400, height: 600 }, { width: 2401, height: 600 }, 'too-elongated'],
  ['softAspect', { width: 600, height: 1200 }, { width: 600, height: 1201 }, 'elongated'],
  ['maxPixels', { width: 8000, height: 8000 }, { width: 8000, height: 8001 }, 'too-many-pixels'],
])('%s is met on one side and missed on the other', (_limit, within, beyond, code) => {
  const at = (size: { width: number; height: number }): string[] =>
    codesOf({ ...photo('a.jpg', 0, size), header: { ...size, frames: 1 } });
  expect(at(within)).not.toContain(code);
  expect(at(beyond)).toContain(code);
});

test('pixel measures are judged by the limits given', () => {
  expect(codesOf(photo('a.jpg', 0, { contrast: 1.9 }))).toEqual(['blank']);
  expect(codesOf(photo('a.jpg', 0, { sharpness: 59 }))).toEqual(['blurred']);
  expect(codesOf(photo('a.jpg', 0, { opaque: 0.09 }))).toEqual(['mostly-transparent']);
  expect(codesOf({ ...photo('a.jpg', 0), bytes: PHOTO_LIMITS.maxBytes + 1 })).toEqual(['too-many-bytes']);
  const strict = { ...PHOTO_LIMITS, minSharpness: 501 };
  expect(assessPhotos(good, 3, strict).warnings).toBe(3);
});

test.each([
  [{ lightest: 99 }, ['dark']],
  [{ lightest: 100 }, []],
  [{ darkest: 70, lightest: 133 }, ['low-contrast']],
  [{ darkest: 70, lightest: 134 }, []],
  [{ burnt: 0.5, burntColour: 0.1 }, ['overexposed']],
  // A white backdrop, and a bright sky in colour.
  [{ burnt: 0.9, burntColour: 0.09 }, []],
  [{ burnt: 0.49, burntColour: 0.4 }, []],
])('of light %j one thing is said: %j', (tones, codes) => {
  expect(codesOf(photo('a.jpg', 0, { tones: { ...TONES, ...tones } }))).toEqual(codes);
});

test('a dark photo is measured for blur as if it had the light it lacks', () => {
  const dark = { ...TONES, darkest: 0, lightest: 48 };
  expect(codesOf(photo('a.jpg', 0, { sharpness: 7, tones: dark }))).toEqual(['dark']);
  expect(codesOf(photo('a.jpg', 0, { sharpness: 6, tones: dark }))).toEqual(['dark', 'blurred']);
});

test.each([
  ['truncated', 'truncated'],
  ['damaged', 'damaged'],
  ['slow', 'too-slow'],
  ['unreadable', 'unreadable'],
] as const)('a failure of kind %s blocks as %s', (kind, code) => {
  expect(codesOf({ file: 'a.jpg', bytes: 9, format: 'jpeg', failure: { kind, detail: 'x' } })).toEqual([
    code,
  ]);
});

describe('the set', () => {
  const codes = (all: PhotoFacts[], total?: number): string[] =>
    assessPhotos(all, total).set.map(({ code }) => code);

  test('copies warn each other only when of one format and size', () => {
    const copy = assessPhotos([...good, photo('d.jpg', 101)]).photos;
    expect(copy.map(({ verdict }) => verdict)).toEqual(['accept', 'accept', 'warn', 'warn']);
    expect(copy[3]?.findings[0]?.message).toContain('c.jpg');
    const exported = [...good, { ...photo('d.png', 101), format: 'png' }];
    expect(assessPhotos(exported).photos.map(({ verdict }) => verdict)).toEqual(Array(4).fill('accept'));
    expect(codes(exported)).toEqual(['repeated-picture']);
  });

  test('near copies do not count as distinct, also when each is only near the next', () => {
    const burst = [0, 5, 10, 15].map((shade, i) => photo(`${i}.jpg`, shade));
    expect(codes(burst)).toEqual(['too-few-distinct', 'repeated-picture']);
    expect(codes([...burst, photo('x.jpg', 60), photo('y.jpg', 120)])).toEqual(['repeated-picture']);
  });

  test('too many, counting those that were not looked at', () => {
    const many = Array.from({ length: 31 }, (_, i) => photo(`${i + 10}.jpg`, i * 8));
    expect(codes(many.slice(0, 30))).toEqual([]);
    expect(codes(many)).toEqual(['too-many-photos']);
    expect(assessPhotos(many, 1000).set[0]?.message).toContain('1000 photos');
  });

  test('no photo at all', () => {
    expect(codes([])).toEqual(['too-few-photos']);
  });

  test('ignored files neither count nor help', () => {
    const notes = { file: 'notes.md', bytes: 5 };
    expect(assessPhotos([...good.slice(0, 2), notes])).toMatchObject({ accepted: 2, refused: true });
    // The content decides: a photo under the name of a text is a photo.
    expect(assessPhotos([...good.slice(0, 2), photo('c.json', 200)]).accepted).toBe(3);
  });
});

test('names that are nobody’s photo', () => {
  const ignored = [
    '.DS_Store',
    'a/.DS_Store',
    '._x.jpg',
    'Thumbs.db',
    'DESKTOP.INI',
    '__MACOSX/x.jpg',
    'subject.json',
  ];
  expect(ignored.filter((name) => !isIgnoredName(name))).toEqual([]);
  expect(['a.jpg', 'a/b.jpg', 'my.subject.json.jpg'].filter(isIgnoredName)).toEqual([]);
});

test('name order is by code unit, the same on every machine', () => {
  const names = ['é.jpg', 'b.jpg', 'B.jpg', '10.jpg', '9.jpg'].map((file) => ({ file }));
  expect(names.sort(byName).map(({ file }) => file)).toEqual(['10.jpg', '9.jpg', 'B.jpg', 'b.jpg', 'é.jpg']);
});
