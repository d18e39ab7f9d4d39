/** Rules across the fields of a request: all are of one domain, and ask for what there is in it. */

import { type Domain, type DomainRow, domainOf } from '../catalogue/domains.ts';
import { evaluationList, type SubjectKind } from '../catalogue/evaluation.ts';
import { type MethodId, method } from '../catalogue/methods.ts';
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
  readonly method: MethodId;
  readonly teacher: string;
  readonly student: string;
  readonly subjectKind?: SubjectKind | undefined;
  readonly truth?: unknown;
  readonly advanced: { readonly sample?: { readonly prompts?: number | undefined } | undefined };
}

/** Faults of fields that do not belong together. */
export function domainFaults(request: Asked): Fault[] {
  const taught = method(request.method).teacher;
  const domain = domainOf(model(taught ? request.teacher : request.student).domain);
  const faults = [
    student(request, domain),
    category(request, domain),
    subjectKind(request, domain),
    truth(request, domain),
    prompts(request, domain),
  ];
  return faults.filter((fault) => fault !== undefined);
}

/** Without a teacher the domain is the student's own. */
function student({ teacher, student }: Asked, domain: DomainRow): Fault | undefined {
  const own = domainOf(model(student).domain);
  if (own.name === domain.name) return undefined;
  const message =
    `belongs to ${own.title}, but the teacher ${teacher} to ${domain.title}: a student cannot learn from images ` +
    `of another domain; take the student ${of('student', domain.name)}, or the teacher ${of('teacher', own.name)}`;
  return { path: ['student'], message };
}

function of(role: 'teacher' | 'student', domain: Domain): string {
  return requestable(role)
    .filter((id) => model(id).domain === domain)
    .join(' or ');
}

function category({ category }: Asked, { title, categories }: DomainRow): Fault | undefined {
  if (categories === null || categories.includes(category)) return undefined;
  const meant = likely(category, categories);
  const message =
    `does not exist in ${title}, which has only ${categories.join(', ')};${meant === undefined ? '' : ` did you mean ${meant}?`} ` +
    `For anything else take models of ${domainOf('photographs').title}`;
  return { path: ['category'], message };
}

function truth({ truth }: Asked, domain: DomainRow): Fault | undefined {
  if (truth === undefined || domain.truth) return undefined;
  const message = `the true appearance of a subject of ${domain.title} cannot be known: it is for drawn ones; leave it out`;
  return { path: ['truth'], message };
}

function subjectKind({ subjectKind: asked }: Asked, { title, evaluation }: DomainRow): Fault | undefined {
  if (asked === undefined || asked in evaluation) return undefined;
  const message = `has no meaning in ${title}, which has the same evaluation prompts for all subjects; leave it out`;
  return { path: ['subjectKind'], message };
}

function prompts({ advanced, category, subjectKind: asked }: Asked, domain: DomainRow): Fault | undefined {
  const wanted = advanced.sample?.prompts ?? 1;
  const { length } = evaluationList(domain.name, category, asked).prompts;
  if (wanted <= length) return undefined;
  const message = `must be at most ${length}, the evaluation prompts of ${domain.title}`;
  return { path: ['advanced', 'sample', 'prompts'], message };
}
