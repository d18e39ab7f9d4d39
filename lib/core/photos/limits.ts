/** Limits of a photo, each with its reason. Inspection is given these; no limit stands anywhere else. */

import { names } from '../contract/names.ts';

/** Formats that are read. Everything else is named and refused. */
export const PHOTO_FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heic', 'avif'] as const;

export interface PhotoLimits {
  /** Largest file. */
  readonly maxBytes: number;
  /** Most pixels, taken from the header before anything is decoded. */
  readonly maxPixels: number;
  /** Seconds that decoding one photo may take. */
  readonly secondsPerPhoto: number;
  /** Shorter side below which a photo is refused. */
  readonly minSide: number;
  /** Shorter side below which a photo is taken with a warning. */
  readonly softSide: number;
  /** Longer side over shorter side above which a photo is refused. */
  readonly maxAspect: number;
  /** Longer side over shorter side above which a photo is taken with a warning. */
  readonly softAspect: number;
  /** Longer side of a reference; larger photos are shrunk to it. */
  readonly referenceSide: number;
  /** Largest standard deviation of any colour channel (0..255) that still counts as one flat colour. */
  readonly flatContrast: number;
  /** Sharpness (see `PixelFacts`) below which a photo counts as blurred. */
  readonly minSharpness: number;
  /** Grey levels between a photo's darkest and lightest parts; with fewer, its sharpness is reckoned at so many. */
  readonly ordinaryRange: number;
  /** Level of the lightest parts (see `Tones`) below which a photo counts as dark. */
  readonly minLightest: number;
  /** Levels between the darkest and the lightest parts below which a photo counts as low in contrast. */
  readonly minRange: number;
  /** Share of the middle that is burnt out, from which on a photo counts as overexposed ... */
  readonly maxBurnt: number;
  /** ... when so much of what is not plain white there is burnt out too. */
  readonly maxBurntColour: number;
  /** Share of opaque area below which a photo counts as mostly transparent. */
  readonly minOpaque: number;
  /** Mean thumbnail difference (0..255) up to which two photos are copies of one shot. */
  readonly copyDistance: number;
  /** Mean thumbnail difference (0..255) up to which two photos show the same picture. */
  readonly pictureDistance: number;
  /** Fewest distinct usable photos of a run. */
  readonly minPhotos: number;
  /** Most photos of a run. */
  readonly maxPhotos: number;
  /** Files that are looked into; what comes after them in name order is only counted. */
  readonly maxInspected: number;
  /** Most characters of a caption. */
  readonly maxCaption: number;
  /** Characters of a caption above which it is taken with a warning. */
  readonly softCaption: number;
}

export const PHOTO_LIMITS: PhotoLimits = {
  // A 50-megapixel phone JPEG has 10 to 25 MB, a 16-bit TIFF of 8 megapixels 48 MB; a larger file is not a snapshot.
  maxBytes: 50 * 2 ** 20,
  // Phones take 48 or 50 megapixels; 64 leaves a margin. Measured at 63 megapixels: 420 MB for JPEG, PNG, WebP and TIFF.
  // HEIC is decoded to RGBA, 256 MB, of which wasm, worker and profile each hold one: about 1.3 GB (estimated), so the
  // lambda needs 2 GB.
  maxPixels: 64_000_000,
  // wasm decodes about 6 megapixels of HEIC a second (measured), so 64 take 11; 45 photos at 20 s are Lambda's 15 minutes.
  secondsPerPhoto: 20,
  // Half of 512, the least resolution that any model of the catalogue is trained at: more than twofold enlargement
  // teaches the model softness.
  minSide: 256,
  // The least resolution that any model of the catalogue is trained at; below it a photo is enlarged.
  softSide: 512,
  // Training crops squares: at 4:1 three quarters of the picture are lost.
  maxAspect: 4,
  // At 2:1 half of the picture is lost to the square crop. Phone photos are 4:3, 16:9 at most.
  softAspect: 2,
  // Twice 1024, the most that any model of the catalogue is trained at: crops keep real detail, and what every later
  // stage downloads stays small.
  referenceSide: 2048,
  // JPEG noise on a flat wall is about 1; the darkest of the 25 DreamBooth photos used for calibration has 22.
  flatContrast: 2,
  // Measured on 25 DreamBooth photos: 267 and more as they are, 5 to 18 after a Gaussian blur of 6 px.
  minSharpness: 60,
  // Measured on the same 25 photos: their least range is 147, so nothing changes for such photos. Steps at edges shrink
  // with the range, and sharpness with its square: sharp ones darkened by five stops measure 33 and more, though nothing
  // in them is blurred. Reckoned at 144 levels they have 347 and more at any darkness up to five stops and at any contrast
  // down to a fifth, and those blurred by 6 px before are found still: all of 25 down to three stops, 23 at five.
  ordinaryRange: 144,
  // The 25 photos have 170 and more as they are, 124 and more darkened by one stop (in linear light), 90 to 133 by two,
  // 64 to 97 by three: three stops too dark is always reported, one stop too dark never.
  minLightest: 100,
  // The 25 photos have 147 and more as they are, 73 and more with half their contrast, 44 to 71 with three tenths of it,
  // 29 to 48 with a fifth.
  minRange: 64,
  // The 25 photos have 0.046 at most; 3 of them pass this one stop too light, 14 two stops, 19 three stops. So might a
  // good photo of something small before a white backdrop, hence the next.
  maxBurnt: 0.5,
  // A white backdrop has none of it, but what is too light has: colours end one after the other. The 25 photos have 0.024
  // at most. Both limits together are passed by none of them as they are, by 2, 11 and 18 at one, two and three stops.
  maxBurntColour: 0.1,
  // A subject on less than a tenth of the picture leaves mostly white to learn from.
  minOpaque: 0.1,
  // The same shot saved at two JPEG qualities measures 0.4; the closest photos that differ in content 2 and more.
  copyDistance: 1.5,
  // A blurred copy measures 3; the closest two of 25 DreamBooth photos, five of each subject, 24.
  pictureDistance: 6,
  // DreamBooth (Ruiz et al. 2023) needs 3 to 5 photos of a subject.
  minPhotos: 3,
  // Six times what DreamBooth needs; more cost time and blur what the subject is.
  maxPhotos: names.limits.photos,
  // Half again the most allowed, so that someone slightly above it still gets every finding at once.
  maxInspected: 45,
  // T5 reads 256 tokens in Stable Diffusion 3, its default there, and 512 in FLUX; an English token has about four letters.
  maxCaption: 1000,
  // CLIP reads 77 tokens, two of which begin and end it: 75 tokens of about four letters. SDXL has no other encoder.
  softCaption: 300,
};
