/** A knob of a stage, an optional field such as `advanced.teach.flips`, is written in at most five files. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
/** Written by `npm run schemas` from the others; and the record of what was done when. */
const NOT_WRITTEN = [
  ':!*.schema.json',
  ':!docs/reference/subject.md',
  ':!containers/proxytune/contract/types/*.py',
  ':!CHANGELOG.md',
  ':!test/codebase/knobs.test.ts',
];

function filesNaming(word: string): string[] {
  const search = ['grep', '--untracked', '-lw', word, '--', '.', ...NOT_WRITTEN];
  return execFileSync('git', search, { cwd: root, encoding: 'utf8' }).trim().split('\n').sort();
}

test('the stage, the trainer, what it acts on, and a test on each side', () => {
  expect(filesNaming('flips')).toEqual([
    'containers/proxytune/teacher/photos.py',
    'containers/proxytune/teacher/trainer.py',
    'containers/tests/teacher/test_options.py',
    'lib/core/stages/teach/teach.ts',
    'test/core/plan.test.ts',
  ]);
});
