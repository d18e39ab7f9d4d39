/**
 * The settings of a deployment, read from the CDK's context (`-c environment=production`, or cdk.json). Everything
 * below `bin/app.ts` takes typed props; this is the only file that reads the context.
 */
import { z } from 'zod';
import { instanceTypes } from '../core/catalogue/instances.ts';
import { correction } from '../core/nearest.ts';

/** The retention times that CloudWatch Logs allows; it rejects another number only at deployment. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((word) => word === 'true')]);
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').map((t) => t.trim())),
]);
const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const schema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'a letter, then letters, digits and -, at most 40')
    .default('Proxytune')
    .describe('The name of the stack; one account can have several under different names'),
  environment: z
    .enum(['development', 'production'])
    .default('development')
    .describe('production: deleting the stack keeps all data, and the stack is protected from deletion'),
  target: z
    .enum(['account', 'local'])
    .default('account')
    .describe('local: no image is built and lambdas are bundled for this machine'),
  models: z
    .enum(['full', 'tiny'])
    .optional()
    .describe('tiny: small models of the same classes, for tests. Default: full in an account, tiny locally'),
  heartbeatSeconds: integer(1, 86_400)
    .default(900)
    .describe(
      'Time without a heartbeat after which a job is looked up; the longest delay after a missed event',
    ),
  retrySeconds: integer(1, 3600)
    .default(300)
    .describe('First wait before a job is retried for lack of quota or capacity'),
  logRetentionDays: z.coerce
    .number()
    .refine(
      (days) => (RETENTION_DAYS as readonly number[]).includes(days),
      `one of ${RETENTION_DAYS.join(', ')}`,
    )
    .default(30)
    .describe('Retention of the logs in days'),
  instanceTypes: list
    .pipe(z.array(z.enum(instanceTypes())).min(1))
    .optional()
    .describe('The instance types that may be started. Default: all of the catalogue'),
  removeData: flag
    .default(false)
    .describe('Delete the bucket with the stack; CloudFormation does so only once it is empty'),
});

type Parsed = z.infer<typeof schema>;

export interface Settings extends Omit<Parsed, 'models' | 'instanceTypes'> {
  readonly models: 'full' | 'tiny';
  readonly instanceTypes: readonly string[];
}

/**
 * Reads the settings from the app's context.
 *
 * @throws Error that lists every invalid setting, and suggests the nearest known name for an unknown one
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  // The CDK's own keys contain a `:` or a `/` (`@aws-cdk/…`, `aws:cdk:…`); ours never do.
  const own = Object.fromEntries(Object.entries(context).filter(([key]) => !/[:/]/.test(key)));
  const result = schema.safeParse(own);
  if (!result.success) {
    const faults = result.error.issues.flatMap((issue) => fault(issue, own));
    throw new Error(
      `invalid settings: ${faults.join('; ')}. The settings are ${Object.keys(schema.shape).join(', ')}; ` +
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

function fault(issue: z.core.$ZodIssue, context: Readonly<Record<string, unknown>>): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(schema.shape);
    return issue.keys.map((key) => `unknown setting ${key}, ${correction(key, known)}`);
  }
  const key = String(issue.path[0]);
  return [`${key}=${JSON.stringify(context[key])}: ${issue.message}`];
}
