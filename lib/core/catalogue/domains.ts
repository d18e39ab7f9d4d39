/**
 * The domains of images: photographs, or a small drawn world. A domain has its prompts and its models; a small one also has
 * limits, the only things and words that there are in it.
 */
import { z } from 'zod';
import data from './data/prompts.json' with { type: 'json' };

export type Domain = keyof typeof data;
export const DOMAINS = Object.keys(data) as [Domain, ...Domain[]];

const template = z
  .string()
  .regex(/^[^{}]*\{s\}[^{}]*$/, 'a prompt in which {s} stands once, for the subject');

const promptList = z.strictObject({
  title: z.string(),
  source: z.string(),
  prompts: z.array(template).min(1),
});
export type PromptList = z.infer<typeof promptList>;

const domainRow = z.strictObject({
  title: z.string(),
  note: z.string().nullable().describe('What a reader of the report should know; null when there is nothing'),
  source: z.string(),
  instance: z.array(template).min(1).describe('Captions of the references for the teacher’s training'),
  proxy: template.describe('Prompt of the proxies'),
  proxyContexts: z.array(template).min(1).describe('The same, in a context each'),
  evaluation: z
    .record(z.string(), promptList)
    .describe('Lists of evaluation prompts by name: one for all subjects, or one for each kind'),
  categories: z
    .array(z.string())
    .nullable()
    .describe('The only categories of this domain; null when any will do'),
  vocabulary: z
    .array(z.string())
    .nullable()
    .describe('The only words its models know; null when any will do'),
  truth: z.boolean().describe('Whether subjects are drawn, so that their true appearance can be given'),
});
export interface DomainRow extends z.infer<typeof domainRow> {
  readonly name: Domain;
}

const rows: ReadonlyMap<Domain, DomainRow> = new Map(
  DOMAINS.map((name) => [name, { name, ...domainRow.parse(data[name]) }]),
);

export function domainOf(name: Domain): DomainRow {
  // Every name of the type is a key of the data.
  return rows.get(name) as DomainRow;
}
