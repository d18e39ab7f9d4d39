/** The mask of a photo: white where it shows the subject. What it must be, judged by facts measured elsewhere. */
import type { PhotoLimits } from './limits.ts';
import { type Finding, findingOf, judgeHeader, judgePhoto, type PhotoFacts } from './rules.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The facts about one mask. Later members are missing when an earlier one already decides. */
export interface MaskFacts {
  /** The file as an image. */
  readonly image: PhotoFacts;
  /** Photos that it belongs to, with their upright sizes; undefined for one that cannot be used itself. */
  readonly photos: readonly { readonly file: string; readonly size: Size | undefined }[];
  /** Upright. @default - not decoded */
  readonly size?: Size;
  /** Share of the mask that is white, 0..1. @default - not decoded */
  readonly subject?: number;
}

/** The findings that decide whether a mask can be used; all of them are blockers. */
export function judgeMask({ image, photos, size, subject }: MaskFacts, limits: PhotoLimits): Finding[] {
  const block = findingOf(image.file, 'blocker');
  if (photos.length === 0) {
    const message = 'is a mask without a photo of the same name, as x.mask.png is of x.jpg';
    return [block('mask-without-photo', message, 'Rename it, or remove it.')];
  }
  const remedy = 'Export the mask again as a PNG, white on the subject and black elsewhere.';
  const unreadable =
    judgeHeader(image, limits).length > 0 ? judgeHeader(image, limits) : undecoded(image, limits);
  if (unreadable.length > 0) {
    const why = unreadable.map(({ message }) => message).join('; ');
    return [block('mask-unusable', `is a mask that cannot be used: it ${why}`, remedy)];
  }
  const sized = photos.flatMap((photo) =>
    size === undefined || photo.size === undefined || same(size, photo.size)
      ? []
      : [
          block(
            'mask-wrong-size',
            `is a mask of ${words(size)}, but ${photo.file} has ${words(photo.size)}`,
            'Export the mask at the size of its photo, as it is seen upright.',
          ),
        ],
  );
  if (sized.length > 0 || subject === undefined) return sized;
  if (subject === 0)
    return [block('mask-empty', 'is a mask without any white, so it shows no subject', remedy)];
  if (subject === 1) {
    const message =
      'is a mask without any black, so all would be subject; what is transparent counts as white';
    return [block('mask-everything', message, remedy)];
  }
  return [];
}

/** Why a file with a good header could not be decoded. */
function undecoded(image: PhotoFacts, limits: PhotoLimits): Finding[] {
  return image.failure === undefined ? [] : judgePhoto(image, limits);
}

function same(one: Size, two: Size): boolean {
  return one.width === two.width && one.height === two.height;
}

function words({ width, height }: Size): string {
  return `${width} x ${height} pixels`;
}
