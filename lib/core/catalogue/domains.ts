/**
 * The worlds that pictures can be of. A world has its prompts, its models belong to it, and a small one also has
 * limits: things and words that are the only ones in it.
 */
import { z } from 'zod';
import data from './data/prompts.json' with { type: 'json' };

export type World = keyof typeof data;
export const WORLDS = Object.keys(data) as [World, ...World[]];

const template = z
  .string()
  .regex(/^[^{}]*\{s\}[^{}]*$/, 'a prompt in which {s} stands once, for the subject');

const worldRow = z.strictObject({
  title: z.string(),
  note: z.string().nullable().describe('What a reader of the report should know; null when there is nothing'),
  source: z.string(),
  instance: z.array(template).min(1).describe('What the teacher is told about each reference'),
  proxy: template.describe('What proxies are drawn from'),
  proxyContexts: z.array(template).min(1).describe('The same, in a context each'),
  evaluation: z.array(template).min(1),
  categories: z.array(z.string()).nullable().describe('The only things in this world; null when any will do'),
  vocabulary: z
    .array(z.string())
    .nullable()
    .describe('The only words its models know; null when any will do'),
  truth: z.boolean().describe('Whether subjects are drawn, so that the truth about them can be known'),
});
export interface WorldRow extends z.infer<typeof worldRow> {
  readonly name: World;
}

const rows: ReadonlyMap<World, WorldRow> = new Map(
  WORLDS.map((name) => [name, { name, ...worldRow.parse(data[name]) }]),
);

export function worldOf(name: World): WorldRow {
  // Every name of the type is a key of the data.
  return rows.get(name) as WorldRow;
}
