/** Measures how light and dark an image is, and how much of it is burnt out. */
import type { Tones } from '../core/photos/tones.ts';

/** A lamp, a reflection or a dead pixel is smaller than this share of a picture. */
const EXTREME = 0.01;
/** Levels from which on a pixel is burnt out: JPEG changes white by a few levels, and a saturated channel by one. */
const WHITE = 250;
const SATURATED = 254;
/** A pure red has a saturated channel without being too light: only bright pixels count. */
const BRIGHT = 128;

/**
 * @param grey levels, one byte a pixel
 * @param rgb the same picture in sRGB, three bytes a pixel
 */
export function tones(
  grey: Uint8Array,
  rgb: Uint8Array,
  { width, height, opaque }: { width: number; height: number; opaque: number },
): Tones {
  const sorted = Uint8Array.from(grey).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const levels = { darkest: at(EXTREME), lightest: at(1 - EXTREME) };
  if (opaque < 1) return { ...levels, burnt: 0, burntColour: 0 };
  let all = 0;
  let white = 0;
  let saturated = 0;
  for (let y = Math.ceil(height / 4); y < (height * 3) / 4; y += 1) {
    for (let x = Math.ceil(width / 4); x < (width * 3) / 4; x += 1) {
      const pixel = y * width + x;
      const [red = 0, green = 0, blue = 0] = rgb.subarray(3 * pixel, 3 * pixel + 3);
      all += 1;
      if (Math.min(red, green, blue) >= WHITE) white += 1;
      else if (Math.max(red, green, blue) >= SATURATED && (grey[pixel] ?? 0) >= BRIGHT) saturated += 1;
    }
  }
  return {
    ...levels,
    burnt: (white + saturated) / Math.max(1, all),
    burntColour: saturated / Math.max(1, all - white),
  };
}
