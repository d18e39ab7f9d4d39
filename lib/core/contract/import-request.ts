/** The request of import-model to the hub: read by the job of stage import-model, or by the same code on one machine. */
import { z } from 'zod';
import { licence } from '../contract/licence.ts';

export const importRequest = z.strictObject({
  version: z.literal(1),
  model: z.string().describe('Catalogue id'),
  repository: z.string().describe('On the hub, owner/name'),
  revision: z.string().nullable().describe('Commit, branch or tag; null: the main branch as it is now'),
  files: z.array(z.string()).min(1).describe('`*` stands for anything but a slash'),
  licence,
  gated: z.boolean(),
  secret: z.string().nullable().describe("Secrets Manager's name of the hub's token; null: none is needed"),
  bucket: z.string().describe('Where the model goes'),
  prefix: z.string().describe('Below which key; ends in a slash'),
});
export type ImportRequest = z.infer<typeof importRequest>;
