/** Measures contrast, sharpness and tones of an image, and makes a thumbnail. */
import sharp, { type Sharp } from 'sharp';
import type { PixelFacts } from '../core/photos/rules.ts';
import type { Pixels } from './decode.ts';
import { tones } from './tones.ts';

/** The longer side at which photos are compared, because blur depends on the scale. */
const COMPARED_SIDE = 512;
const BLOCK = 32;
/** The quantile of the blocks' sharpness that represents the photo. */
const SHARPEST = 0.95;
const THUMBNAIL_SIDE = 32;

export async function measure(pixels: Pixels): Promise<PixelFacts> {
  const open = (): Sharp =>
    sharp(pixels.data, { raw: { width: pixels.width, height: pixels.height, channels: 3 } });
  const { channels } = await open().stats();
  const small = (picture: Sharp) =>
    picture
      .resize(COMPARED_SIDE, COMPARED_SIDE, { fit: 'inside' })
      .raw()
      .toBuffer({ resolveWithObject: true });
  const grey = await small(open().greyscale());
  const colour = await small(open());
  const thumbnail = await open().resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'fill' }).raw().toBuffer();
  return {
    ...pixels.original,
    contrast: Math.max(...channels.map(({ stdev }) => stdev)),
    sharpness: sharpness(grey.data, grey.info.width, grey.info.height),
    tones: tones(grey.data, colour.data, { ...colour.info, opaque: pixels.opaque }),
    opaque: pixels.opaque,
    thumbnail,
  };
}

/** Variance of the Laplacian in the block at `SHARPEST`; 0 if the image is smaller than a block. */
export function sharpness(grey: Uint8Array, width: number, height: number): number {
  const blocks: number[] = [];
  for (let top = 1; top + BLOCK < height; top += BLOCK) {
    for (let left = 1; left + BLOCK < width; left += BLOCK) {
      blocks.push(laplacianVariance(grey, width, left, top));
    }
  }
  blocks.sort((a, b) => a - b);
  return blocks[Math.floor(blocks.length * SHARPEST)] ?? 0;
}

function laplacianVariance(grey: Uint8Array, width: number, left: number, top: number): number {
  let sum = 0;
  let squares = 0;
  for (let y = top; y < top + BLOCK; y += 1) {
    for (let x = left; x < left + BLOCK; x += 1) {
      const at = y * width + x;
      const around =
        level(grey, at - 1) + level(grey, at + 1) + level(grey, at - width) + level(grey, at + width);
      const value = 4 * level(grey, at) - around;
      sum += value;
      squares += value * value;
    }
  }
  const count = BLOCK * BLOCK;
  return squares / count - (sum / count) ** 2;
}

function level(grey: Uint8Array, index: number): number {
  return grey[index] ?? 0;
}
