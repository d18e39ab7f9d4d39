/**
 * The list of evaluation prompts of a run. A list for objects asks a dog to float in milk, and one for live subjects
 * puts a teapot into a police outfit, so the category decides which of them is used, unless the request says.
 */
import live from './data/live.json' with { type: 'json' };
import { type Domain, domainOf, type PromptList } from './domains.ts';

/** The two lists of DreamBooth's protocol. */
export const SUBJECT_KINDS = ['live', 'object'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** A list of evaluation prompts, and what it was chosen by. */
export interface EvaluationList extends PromptList {
  readonly name: string;
  readonly chosenBy: 'request' | 'category' | 'domain';
}

const NOUNS: ReadonlySet<string> = new Set(live.nouns);
const THINGS: ReadonlySet<string> = new Set(live.things);

/** Live where the category ends in the name of a being and no word before makes a thing of it, as in "toy dog". */
export function kindOf(category: string): SubjectKind {
  const words = category.split(' ');
  const being = NOUNS.has(words.at(-1) ?? '') && !words.some((word) => THINGS.has(word));
  return being ? 'live' : 'object';
}

/** The list for a category; a domain with one list has it for every category. */
export function evaluationList(domain: Domain, category: string, requested?: SubjectKind): EvaluationList {
  const lists = domainOf(domain).evaluation;
  const [first, ...more] = Object.keys(lists);
  const name = more.length === 0 ? first : (requested ?? kindOf(category));
  const list = name === undefined ? undefined : lists[name];
  // A test holds every domain to one list, or one of each kind.
  if (name === undefined || list === undefined) throw new Error(`${domain} has no evaluation prompts`);
  const chosenBy = more.length === 0 ? 'domain' : requested === undefined ? 'category' : 'request';
  return { ...list, name, chosenBy };
}
