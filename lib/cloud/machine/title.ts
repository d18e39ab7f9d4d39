import type { Stage } from '../../core/words.ts';

/** A stage as the states are called in the console: `sample-teacher` is `Sample teacher`. */
export function titleOf(stage: Stage): string {
  const words = stage.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
