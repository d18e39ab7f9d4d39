/** `proxytune run --local --dreambooth DIR`: one subject of a copy of DreamBooth's dataset, or all of them in turn. */
import { exitCode, ProxytuneError } from '../../core/errors.ts';
import { chooseDreamBooth, type DreamBoothSubject, readDreamBooth } from '../dreambooth.ts';
import type { Output } from '../output.ts';
import { type RunOptions, runCommand } from './run.ts';

/** The name that stands for every subject of the dataset. */
export const ALL = 'all';

export interface DreamBoothOptions extends RunOptions {
  /** The folder with the dataset. */
  readonly dreambooth: string;
}

/**
 * Runs the chosen subject, or every one: those that fail are named at the end, and the others go on.
 * @throws DatasetUnusable, UsageInvalid, and what a single run throws
 */
export async function runDreamBooth(
  dir: string | undefined,
  options: DreamBoothOptions,
  output: Output,
): Promise<number> {
  requireNoFolder(dir, options);
  if (options.subject === ALL) {
    const subjects = readDreamBooth(options.dreambooth);
    return runEach(subjects, (subject) => runSubject(subject, options, output), output);
  }
  return runSubject(chooseDreamBooth(options.dreambooth, options.subject), options, output);
}

function runSubject(subject: DreamBoothSubject, options: RunOptions, output: Output): Promise<number> {
  const fields = { category: subject.category, ...options.fields };
  return runCommand(subject.folder, { ...options, subject: subject.name, fields }, output);
}

/**
 * Runs subjects in turn; one that has its run already is passed over, so that a list goes on where it ended.
 * @returns the exit code
 */
export async function runEach<Subject extends { readonly name: string }>(
  subjects: readonly Subject[],
  run: (subject: Subject) => Promise<number>,
  output: Pick<Output, 'say'>,
): Promise<number> {
  const failed: string[] = [];
  for (const [at, subject] of subjects.entries()) {
    output.say(`subject ${at + 1} of ${subjects.length}: ${subject.name}`);
    try {
      const code = await run(subject);
      if (code !== 0) return code;
    } catch (error) {
      if (!(error instanceof ProxytuneError)) throw error;
      if (error.name !== 'RequestRepeated' && endsAll(error)) throw error;
      output.say(`${error.name}: ${error.message}`);
      if (error.name === 'RequestRepeated') continue;
      failed.push(subject.name);
    }
  }
  if (failed.length === 0) return 0;
  output.say(`no result for ${failed.join(', ')}`);
  return exitCode('JobFailed');
}

/** Tells the faults that the next subject would have too: the request is refused, this machine cannot go on, or Ctrl-C was pressed. */
function endsAll({ name }: ProxytuneError): boolean {
  return exitCode(name) !== exitCode('JobFailed') || name === 'OutOfDisk' || name === 'LocalCloudFailed';
}

function requireNoFolder(dir: string | undefined, { resume }: RunOptions): void {
  if (dir === undefined && resume === undefined) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'A run of the dataset takes its photos from there',
    given: dir === undefined ? '--dreambooth with --resume' : `--dreambooth with ${dir}`,
    allowed: 'npx proxytune run --local --dreambooth DIR --subject dog6',
    remedy: 'leave the other out',
  });
}
