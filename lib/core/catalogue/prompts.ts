/** Prompts are data of a world; this file only puts the subject into them. */
import { type World, worldOf } from './domains.ts';

/** A prompt as the models are asked, and as CLIP-T compares it: without the token word. */
export interface Prompt {
  /** "a photo of a ohwx dog at sunset" */
  readonly prompt: string;
  /** "a photo of a dog at sunset" */
  readonly plain: string;
}

/** What prompts are filled with. */
export interface Named {
  readonly world: World;
  readonly tokenWord: string;
  readonly category: string;
}

/** What the teacher is told about each reference. */
export function instancePrompts(named: Named): string[] {
  return worldOf(named.world).instance.map((template) => filled(template, named).prompt);
}

/** What the teacher is told about pictures of the category that are not the subject. */
export function classPrompt(named: Named): string {
  return filled(worldOf(named.world).proxy, named).plain;
}

/** What {s} stands for in prompts. */
export function subjectWords({ tokenWord, category }: Named): string {
  return `${tokenWord} ${category}`;
}

/** Templates of the pictures that a teacher draws along the way: the subject alone, then in contexts. */
export function sampleTemplates({ world }: Named, contexts: number): string[] {
  const { proxy, proxyContexts } = worldOf(world);
  return [proxy, ...proxyContexts.slice(0, contexts)];
}

/** The paper's proxy prompt, `a S* {category}`. */
export function proxyPrompt(named: Named): string {
  return filled(worldOf(named.world).proxy, named).prompt;
}

/** The proxy prompt in each context of the world. */
export function proxyPromptsInContext(named: Named): Prompt[] {
  return worldOf(named.world).proxyContexts.map((template) => filled(template, named));
}

/** The first `count` evaluation prompts. */
export function evaluationPrompts(named: Named, count: number): Prompt[] {
  return worldOf(named.world)
    .evaluation.slice(0, count)
    .map((template) => filled(template, named));
}

function filled(template: string, named: Named): Prompt {
  return {
    prompt: template.replace('{s}', subjectWords(named)),
    plain: template.replace('{s}', named.category),
  };
}
