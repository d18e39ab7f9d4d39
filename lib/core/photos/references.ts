/** Names of the references, the photos as later stages read them, and of what belongs to each. */
import { names } from '../contract/names.ts';

const { references } = names;

/** `reference-00.png` and so on, so that name order is the order of the photos. */
export function referenceName(index: number): string {
  return `${references.prefix}${String(index).padStart(references.digits, '0')}${references.image}`;
}

/** The caption of a reference, by the reference's name. */
export function captionName(reference: string): string {
  return `${reference.slice(0, -references.image.length)}${references.caption}`;
}
