/** Generated, seeded images, so that hostile uploads are also tested on a fresh clone. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import type { PhotoSource } from '../../lib/inspection/source.ts';

/** A random number generator for 0..1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Coloured tiles with hard edges: sharp, different for each seed, and without a symmetry that would hide a rotation.
 */
export function scene(seed: number, width = 640, height = width): Sharp {
  const next = random(seed * 7919 + 1);
  const tiles = Buffer.from(Array.from({ length: 12 * 12 * 3 }, () => Math.floor(next() * 256)));
  return sharp(tiles, { raw: { width: 12, height: 12, channels: 3 } })
    .resize(width, height, { kernel: 'nearest', fit: 'fill' })
    .png({ compressionLevel: 1 });
}

/** Three usable photos, a.jpg, b.jpg and c.png. */
export function threePhotos(side: number): Promise<PhotoSource[]> {
  return Promise.all(
    ['a.jpg', 'b.jpg', 'c.png'].map(async (name, seed) =>
      source(
        name,
        await scene(seed + 1, side)
          .jpeg()
          .toBuffer(),
      ),
    ),
  );
}

/** Changes the exposure by a number of stops: factors of two in linear light, clipped at white. */
export async function exposed(image: Buffer, stops: number): Promise<Buffer> {
  return withLevels(image, (level) => {
    const value = level / 255;
    const light = (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4) * 2 ** stops;
    return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
  });
}

/** Reduces the contrast to a share, as haze does. */
export async function hazed(image: Buffer, share: number): Promise<Buffer> {
  return withLevels(image, (level) => 128 + (level - 128) * share);
}

async function withLevels(image: Buffer, change: (level: number) => number): Promise<Buffer> {
  const { data, width, height } = await pixelsOf(image);
  const table = Uint8ClampedArray.from({ length: 256 }, (_, level) => change(level));
  const changed = data.map((level) => table[level] ?? 0);
  return sharp(changed, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

export async function pixelsOf(image: Buffer): Promise<{ data: Buffer; width: number; height: number }> {
  const { data, info } = await sharp(image).toColourspace('srgb').removeAlpha().raw().toBuffer({
    resolveWithObject: true,
  });
  return { data, width: info.width, height: info.height };
}

/** Mean absolute difference of two images, 0..255; infinite if their sizes differ. */
export async function difference(a: Buffer, b: Buffer): Promise<number> {
  const [left, right] = await Promise.all([pixelsOf(a), pixelsOf(b)]);
  if (left.width !== right.width || left.height !== right.height) return Infinity;
  return (
    left.data.reduce((sum, value, i) => sum + Math.abs(value - (right.data[i] ?? 0)), 0) / left.data.length
  );
}

/** A one-bit grey PNG whose header claims `width` x `height`, with almost no data. */
export function bombPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

export function source(file: string, content: Buffer): PhotoSource {
  return { file, bytes: content.length, read: async () => content };
}

export function folderOf(dir: string): PhotoSource[] {
  return readdirSync(dir).map((file) => source(file, readFileSync(join(dir, file))));
}

/**
 * A folder of real photos next to the repository on developers' machines; undefined, with a warning, if it is
 * missing.
 */
export function sharedPhotos(name: string): string | undefined {
  const dir = join(import.meta.dirname, '../../../shared/photos', name);
  if (existsSync(dir)) return dir;
  console.warn(`SKIPPED: ${dir} is missing; generated images are tested instead`);
  return undefined;
}
