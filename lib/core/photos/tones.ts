/** Rules about a photo's light: too little, too much, or without contrast. Pure, as the other rules. */
import type { PhotoLimits } from './limits.ts';

/** Measurements of a photo's light, at 512 pixels on the longer side. Levels are those of grey, 0..255. */
export interface Tones {
  /** Level below which the darkest hundredth lies. */
  readonly darkest: number;
  /** Level above which the lightest hundredth lies. */
  readonly lightest: number;
  /**
   * Share of the middle (half of either side, where the subject is) that is white, or bright with a colour at its end.
   * 0 for pictures with transparency: the white under them is ours.
   */
  readonly burnt: number;
  /** The same share among what is not plain white. */
  readonly burntColour: number;
}

export type ToneCode = 'dark' | 'overexposed' | 'low-contrast';

/** Code, message and remedy, as findings are made of. */
export type ToneFault = readonly [code: ToneCode, message: string, remedy: string];

/** The one thing to say of a photo's light: a dark photo has little contrast too, but light is what it lacks. */
export function toneFault(tones: Tones, limits: PhotoLimits): ToneFault | undefined {
  const { darkest, lightest, burnt, burntColour } = tones;
  if (lightest < limits.minLightest) {
    return [
      'dark',
      `is too dark: its lightest parts have level ${lightest} of 255, at least ${limits.minLightest} is expected`,
      'Take it in more light, or brighten it in a photo editor; the model learns the darkness.',
    ];
  }
  if (burnt >= limits.maxBurnt && burntColour >= limits.maxBurntColour) {
    return [
      'overexposed',
      `is overexposed: ${Math.floor(burnt * 100)} % of its middle is white or nearly, without detail`,
      'Take it again in less light, away from the flash; an editor cannot bring back what is white.',
    ];
  }
  if (lightest - darkest < limits.minRange) {
    return [
      'low-contrast',
      `is pale: from its darkest to its lightest parts are ${lightest - darkest} of 255 levels, at least ${limits.minRange} are expected`,
      'Take it without haze, glass or glare before it, or raise the contrast in a photo editor.',
    ];
  }
  return undefined;
}

/** Levels that a photo is taken to have at least: below, what is measured is the rounding to whole levels. */
const LEAST_RANGE = 16;

/**
 * How many times sharper a photo would measure with ordinary tones: dark and pale photos have smaller steps at their
 * edges, which is not blur. 1 for photos with such tones.
 */
export function toneGain({ darkest, lightest }: Tones, limits: PhotoLimits): number {
  const range = Math.max(LEAST_RANGE, lightest - darkest);
  return Math.max(1, limits.ordinaryRange / range) ** 2;
}
