/** Prompts are data of a domain; this file only puts the subject into them. */
import type { CaptionSubject } from '../photos/captions.ts';
import { type Domain, domainOf, type PromptList } from './domains.ts';

/** A prompt as the models are asked, and as CLIP-T compares it: without the token word. */
export interface Prompt {
  /** "a photo of a ohwx dog at sunset" */
  readonly prompt: string;
  /** "a photo of a dog at sunset" */
  readonly plain: string;
}

/** The values that fill a prompt template. */
export interface Named {
  readonly domain: Domain;
  readonly tokenWord: string;
  readonly category: string;
}

/** Captions of the references for the teacher's training. */
export function instancePrompts(named: Named): string[] {
  return domainOf(named.domain).instance.map((template) => filled(template, named).prompt);
}

/** The subject of captions that a user wrote for single photos. */
export function captionSubject({ domain, tokenWord, category }: Named): CaptionSubject {
  return { tokenWord, category, vocabulary: domainOf(domain).vocabulary };
}

/** The caption of class images: the category without the subject. */
export function classPrompt(named: Named): string {
  return filled(domainOf(named.domain).proxy, named).plain;
}

/** The words that replace {s} in a template. */
export function subjectWords({ tokenWord, category }: Named): string {
  return `${tokenWord} ${category}`;
}

/** Templates of the teacher's validation images: the subject alone, then in contexts. */
export function sampleTemplates({ domain }: Named, contexts: number): string[] {
  const { proxy, proxyContexts } = domainOf(domain);
  return [proxy, ...proxyContexts.slice(0, contexts)];
}

/** The paper's proxy prompt, `a S* {category}`. */
export function proxyPrompt(named: Named): string {
  return filled(domainOf(named.domain).proxy, named).prompt;
}

/** The proxy prompt in each context of the domain. */
export function proxyPromptsInContext(named: Named): Prompt[] {
  return domainOf(named.domain).proxyContexts.map((template) => filled(template, named));
}

/** The first `count` prompts of an evaluation list. */
export function evaluationPrompts(named: Named, { prompts }: PromptList, count: number): Prompt[] {
  return prompts.slice(0, count).map((template) => filled(template, named));
}

function filled(template: string, named: Named): Prompt {
  return {
    prompt: template.replace('{s}', subjectWords(named)),
    plain: template.replace('{s}', named.category),
  };
}
