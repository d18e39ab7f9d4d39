/** A base model in fewer bits, where the card is too small for it as it is. */
import type { Instance } from '../../catalogue/instances.ts';
import type { Model } from '../../catalogue/models.ts';

/** The needs of a training on an instance: the base as it is when it fits, else in the most bits that fit. */
export interface Fit {
  /** Of a weight of the frozen base. @default - those of its type */
  readonly bits?: 8 | 4;
  /** GiB of GPU memory. */
  readonly needs: number;
}

/**
 * How a model is trained on an instance; undefined for models that need no GPU. A card that holds it in no form gets
 * the smallest there is, and the plan says that it is too little.
 */
export function trainingFit({ memory }: Model, { gpuGiB }: Instance): Fit | undefined {
  if (memory === undefined) return undefined;
  const { quantized = [], training } = memory;
  const whole: Fit = { needs: training };
  const fewer = quantized.map(({ bits, training: needs }): Fit => ({ bits, needs }));
  return [whole, ...fewer].find(({ needs }) => needs <= gpuGiB) ?? fewer.at(-1) ?? whole;
}
