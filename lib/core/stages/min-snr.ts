/** Min-SNR (arXiv 2303.09556): how much the errors at each noise level count. */
import type { Model } from '../catalogue/models.ts';
import { modelsOf } from '../catalogue/models.ts';
import { ProxytuneError } from '../errors.ts';

/**
 * The gamma that a teacher is trained with: the request's, else the recipe's.
 * @throws RequestInvalid when the request names one for a teacher that it means nothing for
 */
export function snrGammaOf(
  teacher: Model,
  recipe: { readonly snrGamma?: number | undefined },
  asked: number | undefined,
): number | undefined {
  if (asked === undefined || teacher.objective === 'noise') return asked ?? recipe.snrGamma;
  throw new ProxytuneError('RequestInvalid', {
    what: `Min-SNR means nothing for ${teacher.title}: it is trained by rectified flow, whose levels have no such ratio`,
    given: `advanced.teach.snrGamma ${asked}`,
    allowed: modelsOf('teacher')
      .filter((row) => row.objective === 'noise' && row.standInFor === null)
      .map((row) => row.id)
      .join(', '),
    remedy: 'leave advanced.teach.snrGamma out, or choose one of these teachers',
  });
}
