/** Descriptions of what a model's licence allows. */
import type { z } from 'zod';
import type { licence } from '../contract/licence.ts';

type Licence = z.infer<typeof licence>;

const COMMERCIAL: Record<Licence['commercial'], string> = {
  yes: 'commercial use is allowed',
  no: 'commercial use is not allowed',
  mixed: 'commercial use is allowed on conditions',
};

/** One sentence: its name, whether one may earn money with it, and what else one should know. */
export function licenceWords({ name, commercial, note }: Licence): string {
  return `${name}: ${COMMERCIAL[commercial]}; ${note}.`;
}
