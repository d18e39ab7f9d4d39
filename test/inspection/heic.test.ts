/** The HEIC decoder and its worker. The tests with a real file are skipped where there is none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { DecoderTooSlow, decodeHeic } from '../../lib/inspection/heic.ts';
import { withProfile } from '../../lib/inspection/profile.ts';
import { difference, scene, sharedPhotos } from './pictures.ts';

const hostile = sharedPhotos('hostile');
const limits = { index: 0, maxPixels: 1e6, seconds: 20 };

test('a file that is not a HEIC fails with the decoder’s message', async () => {
  await expect(decodeHeic(Buffer.from('not an image'), limits)).rejects.toThrow('not a HEIC image');
});

test('a decoder that takes too long is terminated', async () => {
  await expect(decodeHeic(Buffer.alloc(10), { ...limits, seconds: 0 })).rejects.toThrow(DecoderTooSlow);
});

test('an inserted profile is applied like an original one', async () => {
  const original = await scene(1).toBuffer();
  const p3 = await sharp(original).withIccProfile('p3').png().toBuffer();
  const { icc } = await sharp(p3).metadata();
  const bare = await sharp(p3, { ignoreIcc: true }).png().toBuffer();
  expect(await difference(bare, original)).toBeGreaterThan(5);
  const profiled = withProfile(bare, icc ?? Buffer.alloc(0));
  expect((await sharp(profiled).metadata()).icc).toEqual(icc);
  expect(
    await difference(await sharp(profiled).toColourspace('srgb').png().toBuffer(), original),
  ).toBeLessThan(2);
});

if (hostile !== undefined) {
  const content = readFileSync(join(hostile, 'photo.heic'));

  test('a real HEIC decodes', async () => {
    const { width, height, data } = await decodeHeic(content, limits);
    expect([width, height, data.length]).toEqual([640, 640, 640 * 640 * 4]);
  });

  test('a picture larger than allowed is not decoded', async () => {
    await expect(decodeHeic(content, { ...limits, maxPixels: 1000 })).rejects.toThrow(
      'larger than in its header',
    );
  });

  test('a cut-off HEIC fails and the next one still decodes', async () => {
    await expect(decodeHeic(content.subarray(0, 20_000), limits)).rejects.toThrow();
    expect((await decodeHeic(content, limits)).width).toBe(640);
  });
}
