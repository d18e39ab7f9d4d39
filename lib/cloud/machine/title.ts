import type { Stage } from '../../core/words.ts';

/** The title of a stage in the console: `sample-teacher` becomes `Sample teacher`. */
export function titleOf(stage: Stage): string {
  const words = stage.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
