/** Prompts are data; this file only puts the subject into them. */
import data from './data/prompts.json' with { type: 'json' };

export interface EvaluationPrompt {
  /** With the token word, as the models are asked. */
  readonly prompt: string;
  /** Without it, as CLIP-T compares: "a photo of a dog at sunset". */
  readonly plain: string;
}

const fill = (template: string, subject: string): string => template.replace('{s}', subject);

/** What the teacher is told about each reference. */
export function instancePrompts(tokenWord: string, category: string): string[] {
  return data.instance.map((template) => fill(template, `${tokenWord} ${category}`));
}

/** The paper's proxy prompt, `a S* {category}`. */
export function proxyPrompt(tokenWord: string, category: string): string {
  return fill(data.proxy, `${tokenWord} ${category}`);
}

/** The first `count` evaluation prompts. */
export function evaluationPrompts(tokenWord: string, category: string, count: number): EvaluationPrompt[] {
  return data.evaluation.slice(0, count).map((template) => ({
    prompt: fill(template, `${tokenWord} ${category}`),
    plain: fill(template, category),
  }));
}

export const EVALUATION_PROMPTS = data.evaluation.length;
