/** The shape of stored models and jobs, as far as the service depends on it. */
import { z } from 'zod';

const time = z.number().nonnegative();
const tags = z.array(z.object({ Key: z.string(), Value: z.string() }));
const named = { name: z.string().min(1), arn: z.string().startsWith('arn:'), created: time, tags };

const job = {
  ...named,
  status: z.enum(['InProgress', 'Completed', 'Failed', 'Stopping', 'Stopped']),
  failureReason: z.string().optional(),
  started: time.optional(),
  ended: time.optional(),
  modified: time,
};

export const trainingSchema = z.looseObject({
  ...job,
  request: z.looseObject({
    TrainingJobName: z.string(),
    AlgorithmSpecification: z.looseObject({}),
    OutputDataConfig: z.looseObject({ S3OutputPath: z.string() }),
    ResourceConfig: z.looseObject({}),
    StoppingCondition: z.looseObject({}),
  }),
  secondary: z.string().min(1),
  transitions: z.array(z.looseObject({ status: z.string(), start: time, message: z.string() })),
});

export const transformSchema = z.looseObject({
  ...job,
  request: z.looseObject({
    TransformJobName: z.string(),
    ModelName: z.string(),
    TransformInput: z.looseObject({ DataSource: z.looseObject({}) }),
    TransformOutput: z.looseObject({ S3OutputPath: z.string() }),
    TransformResources: z.looseObject({}),
  }),
});

export const modelSchema = z.looseObject({ ...named, request: z.looseObject({ ModelName: z.string() }) });
