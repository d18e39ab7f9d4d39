/** The numbers of a comparison as CSV, a line a model, in full precision. */
import type { ComparedModel } from './compared.ts';
import { MEASURES } from './measures.ts';

/** Lines of RFC 4180 with a head; a missing number is empty. No text of a run needs quotes. */
export function comparisonCsv(models: readonly ComparedModel[]): string {
  const head = ['run', 'subject', 'row', 'method', 'model', 'preset', 'images'];
  const measures = MEASURES.flatMap(({ key }) => [key, `${key}_low`, `${key}_high`]);
  const lines = models.map(({ runId, subject, row, method, model, preset, images, scores }) => [
    ...[runId, subject, row, method, model, preset, images],
    ...MEASURES.flatMap(({ key }) => {
      const score = scores[key];
      return [score?.mean, score?.low, score?.high].map((value) => value ?? '');
    }),
  ]);
  return [[...head, ...measures], ...lines].map((line) => `${line.join(',')}\r\n`).join('');
}
