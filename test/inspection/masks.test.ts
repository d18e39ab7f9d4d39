/** Masks next to photos, as files: judged with their photos, and written next to their references. */
import sharp from 'sharp';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { inspectPhotos } from '../../lib/inspection/inspect.ts';
import type { PhotoSource } from '../../lib/inspection/source.ts';
import { scene, source, threePhotos } from './pictures.ts';

const SIDE = 520;

/** Black, with `columns` columns of white at the left. */
async function mask(columns: number, width = SIDE, height = SIDE): Promise<Buffer> {
  const data = Buffer.alloc(width * height);
  for (let at = 0; at < data.length; at += 1) data[at] = at % width < columns ? 255 : 0;
  return sharp(data, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}

let photos: PhotoSource[];
beforeAll(async () => {
  photos = await threePhotos(SIDE);
});

async function run(...companions: PhotoSource[]) {
  const written = new Map<string, Buffer>();
  const inspection = await inspectPhotos([...companions, ...photos], {
    writeReference: async (name, content) => {
      written.set(name, content);
    },
  });
  return { ...inspection, written };
}

test('each reference has the mask of its photo, and no mask is taken for a photo', async () => {
  const {
    written,
    references,
    companions,
    photos: judged,
    refused,
    accepted,
  } = await run(source('b.mask.png', await mask(130)));
  expect({ refused, accepted, photos: judged.length }).toEqual({ refused: false, accepted: 3, photos: 3 });
  expect(companions).toEqual([{ file: 'b.mask.png', verdict: 'accept', findings: [] }]);
  expect(references.map((reference) => reference.mask)).toEqual([
    undefined,
    { name: 'reference-01.mask', file: 'b.mask.png' },
    undefined,
  ]);
  expect([...written.keys()].sort()).toEqual([
    'reference-00.png',
    'reference-01.mask',
    'reference-01.png',
    'reference-02.png',
  ]);
  const { data, info } = await sharp(written.get('reference-01.mask'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width: SIDE, height: SIDE });
  expect(data.filter((_, at) => at % info.channels === 0).filter((value) => value === 255)).toHaveLength(
    130 * SIDE,
  );
});

test('a mask of a large photo is shrunk as its photo is', async () => {
  const [width, height] = [PHOTO_LIMITS.referenceSide + 400, PHOTO_LIMITS.referenceSide];
  const large = source(
    'd.jpg',
    await scene(9, SIDE).resize(width, height, { fit: 'fill' }).jpeg().toBuffer(),
  );
  const { written, refused } = await run(large, source('d.MASK.PNG', await mask(width / 2, width, height)));
  expect(refused).toBe(false);
  const [photo, own] = await Promise.all(
    ['reference-03.png', 'reference-03.mask'].map((name) => sharp(written.get(name)).metadata()),
  );
  expect([own?.width, own?.height]).toEqual([photo?.width, photo?.height]);
});

test.each([
  ['mask-without-photo', 'z.mask.png', async () => mask(130), /without a photo/],
  ['mask-unusable', 'a.mask.png', async () => Buffer.from('no image'), /is not an image/],
  ['mask-unusable', 'a.mask.png', async () => (await mask(130)).subarray(0, 200), /truncated|damaged/],
  [
    'mask-wrong-size',
    'a.mask.png',
    async () => mask(130, SIDE, 500),
    /520 x 500 pixels, but a.jpg has 520 x 520/,
  ],
  ['mask-empty', 'a.mask.png', async () => mask(0), /without any white/],
  ['mask-everything', 'a.mask.png', async () => mask(SIDE), /without any black/],
] as const)('%s is a blocker', async (code, file, content, message) => {
  const { companions, refused } = await run(source(file, await content()));
  expect(refused).toBe(true);
  expect(companions).toEqual([
    {
      file,
      verdict: 'reject',
      findings: [
        expect.objectContaining({ code, severity: 'blocker', message: expect.stringMatching(message) }),
      ],
    },
  ]);
});
