/** The shape of stored state machines and executions, as far as the service depends on it. */
import { z } from 'zod';

const time = z.number().nonnegative();

export const machineSchema = z.looseObject({
  stateMachineArn: z.string().startsWith('arn:'),
  name: z.string().min(1),
  definition: z.string().min(1),
  roleArn: z.string(),
  creationDate: time,
  updateDate: time,
  revisionId: z.string().optional(),
  settings: z.record(z.string(), z.unknown()),
  tags: z.record(z.string(), z.string()),
});

const eventSchema = z.looseObject({
  id: z.int().positive(),
  previousEventId: z.int().nonnegative(),
  timestamp: z.number(),
  type: z.string().min(1),
});

export const executionSchema = z.looseObject({
  executionArn: z.string().startsWith('arn:'),
  name: z.string().min(1),
  machine: machineSchema,
  status: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']),
  startDate: time,
  stopDate: time.optional(),
  input: z.string(),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
  events: z.array(eventSchema).min(1),
  progress: z.looseObject({}).optional(),
  redrive: z.looseObject({ count: z.int().positive(), date: time }).optional(),
});
