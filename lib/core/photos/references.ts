/** Names of the references, the photos as later stages read them, and of what belongs to each. */
import { names } from '../contract/names.ts';

const { references } = names;

/** `reference-00.png` and so on, so that name order is the order of the photos. */
export function referenceName(index: number): string {
  return `${references.prefix}${String(index).padStart(references.digits, '0')}${references.image}`;
}

/** The mask of a reference, a PNG: by another ending, as whatever ends as one is a photo. */
export function maskName(reference: string): string {
  return `${reference.slice(0, -references.image.length)}${references.mask}`;
}

/** The caption of a reference, by the reference's name. */
export function captionName(reference: string): string {
  return `${reference.slice(0, -references.image.length)}${references.caption}`;
}
