/**
 * A user's copy of DreamBooth's dataset: 30 subjects, each with its photos and class, and the evaluation prompts.
 * github.com/google/dreambooth, folder `dataset`.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { domainOf } from '../core/catalogue/domains.ts';
import { ProxytuneError } from '../core/errors.ts';
import { likely } from '../core/nearest.ts';

const INDEX = 'prompts_and_classes.txt';
export interface DreamBoothSubject {
  readonly name: string;
  /** The folder of its photos. */
  readonly folder: string;
  /** Its class. */
  readonly category: string;
}

/**
 * Reads the subjects of a copy, in the order of its file.
 *
 * @param dir - the folder `dataset`, or the repository with it
 * @throws DatasetUnusable when the file is missing or lists no class, or when its prompts are not ours, so that numbers
 * could not be compared
 */
export function readDreamBooth(dir: string): DreamBoothSubject[] {
  const root = [dir, join(dir, 'dataset')].find((folder) => isFile(join(folder, INDEX)));
  if (root === undefined)
    throw unusable('There is no copy of DreamBooth’s dataset', `${dir}, without ${INDEX}`);
  const text = readFileSync(join(root, INDEX), 'utf8');
  requireOurPrompts(text, join(root, INDEX));
  const subjects = classesOf(text).map(([name, category]) => ({
    name,
    folder: join(root, name),
    category,
  }));
  if (subjects.length === 0)
    throw unusable('The copy of DreamBooth’s dataset lists no subject', join(root, INDEX));
  return subjects;
}

/** One subject by name. @throws DatasetUnusable; UsageInvalid, which lists the names, when none or an unknown one is given */
export function chooseDreamBooth(dir: string, name: string | undefined): DreamBoothSubject {
  const subjects = readDreamBooth(dir);
  const chosen = subjects.find((subject) => subject.name === name);
  if (chosen !== undefined) return chosen;
  const names = subjects.map((subject) => subject.name);
  const meant = name === undefined ? undefined : likely(name, names);
  throw new ProxytuneError('UsageInvalid', {
    what: name === undefined ? 'A subject of the dataset is needed' : 'The dataset has no such subject',
    given: name === undefined ? '--dreambooth without --subject' : `--subject ${name}`,
    allowed: names.join(', '),
    remedy: meant === undefined ? 'name one with --subject' : `did you mean --subject ${meant}?`,
  });
}

/** The lines `name,class` of the section Classes. */
function classesOf(text: string): [string, string][] {
  const lines = text.split(/\r?\n/);
  const head = lines.indexOf('subject_name,class');
  const section = head < 0 ? [] : lines.slice(head + 1);
  const end = section.findIndex((line) => line.trim() === '');
  return section.slice(0, end < 0 ? undefined : end).flatMap((line) => {
    const [, name, category] = /^([A-Za-z0-9][\w-]{0,39}),([a-z ]+)$/.exec(line.trim()) ?? [];
    return name === undefined || category === undefined ? [] : [[name, category] as [string, string]];
  });
}

/** The two prompt lists of the file, in our templates' form; {0} stands for the token word and {1} for the class. */
function promptsOf(text: string): string[][] {
  return [...text.matchAll(/prompt_list = \[(.*?)\n\]/gs)].map(([, body = '']) =>
    [...body.matchAll(/'([^'\n]+)'/g)].map(([, prompt = '']) => prompt.replace('{0} {1}', '{s}')),
  );
}

function requireOurPrompts(text: string, file: string): void {
  const [object = [], live = []] = promptsOf(text);
  const own = domainOf('photographs').evaluation;
  for (const [kind, prompts] of Object.entries({ object, live })) {
    const ours = own[kind]?.prompts ?? [];
    const differs = ours.findIndex((prompt, at) => prompt !== prompts[at]);
    if (differs < 0 && prompts.length === ours.length) continue;
    const at = differs < 0 ? ours.length : differs;
    throw unusable(
      'The prompts of this copy are not those of the published dataset',
      `${file}: ${kind} prompt ${at + 1} is ${JSON.stringify(prompts[at] ?? null)}, published as ${JSON.stringify(ours[at] ?? null)}`,
    );
  }
}

function unusable(what: string, given: string): ProxytuneError {
  return new ProxytuneError('DatasetUnusable', {
    what,
    given,
    allowed: `a folder with ${INDEX} and a folder of photos for each subject`,
    remedy: 'git clone https://github.com/google/dreambooth, and name the folder dreambooth/dataset',
  });
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
