/** What the fields of a request must have in common: one world, and what there is in it. */

import { type World, type WorldRow, worldOf } from '../catalogue/domains.ts';
import { model, requestable } from '../catalogue/models.ts';
import { likely } from '../nearest.ts';

interface Fault {
  readonly path: string[];
  /** Without the field's name and value, which the refusal says itself. */
  readonly message: string;
}

/** The fields that decide it; those of a request that fits its schema otherwise. */
interface Asked {
  readonly category: string;
  readonly teacher: string;
  readonly student: string;
  readonly truth?: unknown;
  readonly advanced: { readonly sample?: { readonly prompts?: number | undefined } | undefined };
}

/** What does not belong together. */
export function worldFaults(request: Asked): Fault[] {
  const world = worldOf(model(request.teacher).world);
  const faults = [
    student(request, world),
    category(request, world),
    truth(request, world),
    prompts(request, world),
  ];
  return faults.filter((fault) => fault !== undefined);
}

function student({ teacher, student }: Asked, world: WorldRow): Fault | undefined {
  const own = worldOf(model(student).world);
  if (own.name === world.name) return undefined;
  const message =
    `belongs to ${own.title}, but the teacher ${teacher} to ${world.title}: a student cannot learn from pictures ` +
    `of another world; take the student ${of('student', world.name)}, or the teacher ${of('teacher', own.name)}`;
  return { path: ['student'], message };
}

function of(role: 'teacher' | 'student', world: World): string {
  return requestable(role)
    .filter((id) => model(id).world === world)
    .join(' or ');
}

function category({ category }: Asked, { title, categories }: WorldRow): Fault | undefined {
  if (categories === null || categories.includes(category)) return undefined;
  const meant = likely(category, categories);
  const message =
    `does not exist in ${title}, which has only ${categories.join(', ')};${meant === undefined ? '' : ` did you mean ${meant}?`} ` +
    `For anything else take models of ${worldOf('photographs').title}`;
  return { path: ['category'], message };
}

function truth({ truth }: Asked, world: WorldRow): Fault | undefined {
  if (truth === undefined || world.truth) return undefined;
  const message = `the truth about a subject of ${world.title} cannot be known: it is for drawn ones; leave it out`;
  return { path: ['truth'], message };
}

function prompts({ advanced }: Asked, { title, evaluation }: WorldRow): Fault | undefined {
  const wanted = advanced.sample?.prompts ?? 1;
  if (wanted <= evaluation.length) return undefined;
  const message = `must be at most ${evaluation.length}, the evaluation prompts of ${title}`;
  return { path: ['advanced', 'sample', 'prompts'], message };
}
