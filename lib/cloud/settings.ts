/**
 * What a deployment may choose, read from the CDK's context (`-c environment=production`, or cdk.json). Everything
 * below `bin/app.ts` takes typed props; this is the only place that reads context.
 */
import { z } from 'zod';
import { instanceTypes } from '../core/catalogue/instances.ts';
import { correction } from '../core/nearest.ts';

/** Days that CloudWatch Logs can keep; another number is refused by it only at deployment. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((word) => word === 'true')]);
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').map((t) => t.trim())),
]);
const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const schema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'a letter, then letters, digits and -, at most 40')
    .default('Proxytune')
    .describe('The stack; two of different names stand side by side in one account'),
  environment: z
    .enum(['development', 'production'])
    .default('development')
    .describe('production: nothing is deleted with the stack, and the stack cannot be deleted by mistake'),
  target: z
    .enum(['account', 'local'])
    .default('account')
    .describe('local: no image is built and lambdas are packed for this machine'),
  models: z
    .enum(['full', 'tiny'])
    .optional()
    .describe(
      'tiny: models of the same classes at a size for tests. Default: full in an account, tiny locally',
    ),
  heartbeatSeconds: whole(1, 86_400)
    .default(900)
    .describe('How long a job may be silent before its state is looked up; a lost event costs at most this'),
  retrySeconds: whole(1, 3600)
    .default(300)
    .describe('First wait before a job is tried again for which there was no quota or capacity'),
  logRetentionDays: z.coerce
    .number()
    .refine(
      (days) => (RETENTION_DAYS as readonly number[]).includes(days),
      `one of ${RETENTION_DAYS.join(', ')}`,
    )
    .default(30)
    .describe('How long logs are kept'),
  instanceTypes: list
    .pipe(z.array(z.enum(instanceTypes())).min(1))
    .optional()
    .describe('The only instance types that may be started. Default: all of the catalogue'),
  removeData: flag
    .default(false)
    .describe('Delete the bucket with the stack too; CloudFormation does so only once it is empty'),
});

type Parsed = z.infer<typeof schema>;

export interface Settings extends Omit<Parsed, 'models' | 'instanceTypes'> {
  readonly models: 'full' | 'tiny';
  readonly instanceTypes: readonly string[];
}

/**
 * Reads the settings from everything that is in the app's context.
 *
 * @throws Error that lists every wrong setting, an unknown one with the nearest known
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  // The CDK's own keys have a `:` or a `/` in them (`@aws-cdk/…`, `aws:cdk:…`); ours never do.
  const own = Object.fromEntries(Object.entries(context).filter(([key]) => !/[:/]/.test(key)));
  const result = schema.safeParse(own);
  if (!result.success) {
    const faults = result.error.issues.flatMap((issue) => fault(issue, own));
    throw new Error(
      `settings that do not fit: ${faults.join('; ')}. Known are ${Object.keys(schema.shape).join(', ')}; ` +
        'correct them in cdk.json or after -c',
    );
  }
  const { models, instanceTypes: types, ...rest } = result.data;
  return {
    ...rest,
    models: models ?? (rest.target === 'local' ? 'tiny' : 'full'),
    instanceTypes: types ?? instanceTypes(),
  };
}

function fault(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(schema.shape);
    return issue.keys.map((key) => `${key} is not known, ${correction(key, known)}`);
  }
  const key = String(issue.path[0]);
  return [`${key}=${JSON.stringify(given[key])}: ${issue.message}`];
}
