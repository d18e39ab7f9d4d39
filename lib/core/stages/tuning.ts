/** Hyperparameters of stage learn that say by which method the student is tuned; all absent: LoRA on the proxies. */
import { z } from 'zod';
import * as fields from '../contract/fields.ts';

export const tuning = z.enum(['lora', 'full', 'embedding-lora', 'embedding-full', 'inject']);
export const trainsOn = z.enum(['proxies', 'references', 'augmented']);
export const loraTargets = z.enum(['qkv', 'attention']);
const weight = z.number().min(0).max(10);

export const tuningHyperparameters = {
  tuning: tuning
    .optional()
    .describe(
      'How the student is tuned: LoRA (default), all weights, a new token’s embedding and then either, or tokens injected into a frozen model; docs/methods.md',
    ),
  lora_targets: loraTargets
    .optional()
    .describe('Layers that carry LoRA: queries, keys and values, or the attention; default: the family’s'),
  embedding_steps: fields.steps
    .optional()
    .describe('First steps, which train the new token’s embedding alone; embedding-* only'),
  embedding_learning_rate: fields.learningRate.optional().describe('Learning rate of these steps'),
  inject_layers: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe('First layers that get a text and an image token each; inject only'),
  prior_images: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe('Class images that the frozen student generates for prior preservation; inject only'),
  prior_weight: weight.optional().describe('Of the class images’ loss; alpha in CoAR'),
  anchor_weight: weight.optional().describe('Of the distance of the tokens from their start; beta in CoAR'),
  trains_on: trainsOn
    .optional()
    .describe(
      'Images: the proxies (default), the references, or `proxies` many variations of the references; with the last two there is no channel of proxies but one of references',
    ),
  mirror: z
    .boolean()
    .optional()
    .describe(
      'Whether references are mirrored, each as likely as not; default: only where they are augmented',
    ),
};
