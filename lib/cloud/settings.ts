/**
 * The settings of a deployment, read from the CDK's context: `-c proxytune:environment=production`, or in cdk.json
 * `"context": {"proxytune": {"environment": "production"}}`. Everything below `bin/app.ts` takes typed props; this is
 * the only file that reads the context.
 */
import { z } from 'zod';
import { instanceTypes } from '../core/catalogue/instances.ts';
import { distance, nearest } from '../core/nearest.ts';
import { BUCKET_RULES, isBucketName, isTableName, TABLE_RULES } from './data-names.ts';
import { EVENTS_PER_HEARTBEAT, LEAST_INTERMEDIATES_DAYS, MOST_EVENTS, SHORTEST_HEARTBEAT } from './limits.ts';

/** The namespace of the app's settings in the context. */
const NAMESPACE = 'proxytune';

/** The retention times that CloudWatch Logs allows; it rejects another number only at deployment. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((word) => word === 'true')]);
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').map((t) => t.trim())),
]);

/** A number, or decimal digits from the command line; JavaScript would also convert "", "0x400" and [900]. */
const number = (allows: (value: number) => boolean, message: string) =>
  z.unknown().transform((given, context): number => {
    const value = typeof given === 'string' && /^[0-9]{1,9}$/.test(given) ? Number(given) : given;
    if (typeof value === 'number' && allows(value)) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
const integer = (least: number, most: number) =>
  number(
    (value) => Number.isInteger(value) && value >= least && value <= most,
    `a whole number from ${least} to ${most}, in decimal digits`,
  );
const retentionDays = number(
  (days) => (RETENTION_DAYS as readonly number[]).includes(days),
  `one of ${RETENTION_DAYS.join(', ')}`,
);

const fields = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'a letter, then letters, digits and -, at most 40')
    .refine(
      (name) => !name.endsWith('-Data'),
      'a name that does not end in -Data, as the stack of the data does',
    )
    .default('Proxytune')
    .describe('The name of the stack; one account can have several under different names'),
  environment: z
    .enum(['development', 'production'])
    .default('development')
    .describe(
      'production: deleting a stack keeps bucket, table, topic, queue and logs, and the stacks are protected from deletion',
    ),
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
      'Time without a heartbeat after which a job is looked up; the longest delay after a missed event. ' +
        `At least ${SHORTEST_HEARTBEAT.toSeconds()} in an account`,
    ),
  retrySeconds: integer(1, 3600)
    .default(300)
    .describe('First wait before a job is retried for lack of quota or capacity'),
  photosWaitSeconds: integer(0, 300)
    .optional()
    .describe(
      'How long the inspection waits for photos that are uploaded after their subject.json. ' +
        'Default: 60 in an account, 2 locally',
    ),
  logRetentionDays: retentionDays
    .default(30)
    .describe('Retention in days of the logs of lambdas and state machine'),
  instanceTypes: list
    .pipe(z.array(z.enum(instanceTypes())).min(1))
    .optional()
    .describe('The instance types that may be started. Default: all of the catalogue'),
  bucketName: z
    .string()
    .refine(isBucketName, BUCKET_RULES)
    .optional()
    .describe(
      'An existing bucket to use instead of a new one, such as the one that an earlier deployment has left behind, ' +
        'with its models. The deployment checks its settings and adds a policy',
    ),
  tableName: z
    .string()
    .refine(isTableName, TABLE_RULES)
    .optional()
    .describe('An existing table of runs to use instead of a new one'),
  jobLogRetentionDays: retentionDays
    .optional()
    .describe(
      'Retention in days of the logs of all SageMaker jobs of the account and region, where none is set. ' +
        'Default: unchanged, and SageMaker sets none',
    ),
  intermediatesDays: integer(LEAST_INTERMEDIATES_DAYS, 3650)
    .default(30)
    .describe(
      'Days after which what only the stages of a run read is deleted: references, chunks, checkpoints and proxies. ' +
        'The default leaves time for a run of 7 days and a redrive within 14. Adapters, samples and reports stay',
    ),
  removeData: flag
    .default(false)
    .describe(
      'Delete the bucket with its stack, and with it all photos, models and reports, old versions included. Ignored in production',
    ),
});

const KNOWN = Object.keys(fields.shape);

const schema = fields.superRefine(({ target, heartbeatSeconds, removeData, bucketName }, context) => {
  if (removeData && bucketName !== undefined) {
    const message = 'an adopted bucket is never deleted; remove one of the two settings';
    context.addIssue({ code: 'custom', path: ['removeData'], message });
  }
  const least = SHORTEST_HEARTBEAT.toSeconds();
  if (target === 'local' || heartbeatSeconds >= least) return;
  context.addIssue({
    code: 'custom',
    path: ['heartbeatSeconds'],
    message:
      `at least ${least} in an account, where Step Functions ends a run at ${MOST_EVENTS} events in its history, ` +
      `and each lookup of a silent job adds ${EVENTS_PER_HEARTBEAT}`,
  });
});

type Parsed = z.infer<typeof schema>;

export interface Settings extends Omit<Parsed, 'models' | 'instanceTypes' | 'photosWaitSeconds'> {
  readonly models: 'full' | 'tiny';
  readonly instanceTypes: readonly string[];
  readonly photosWaitSeconds: number;
}

/**
 * Reads the settings from the app's context: the keys `proxytune:<setting>`, and the object `proxytune`, which they
 * override. All other keys belong to others (the CDK's own, those of its command line, and those in ~/.cdk.json), except
 * one that is a setting without its namespace.
 *
 * @throws Error that lists every invalid setting, and suggests the nearest known name for an unknown one
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const given = ownSettings(context);
  const result = schema.safeParse(given);
  const faults = [
    ...misplaced(context),
    ...(result.success ? [] : result.error.issues.flatMap((issue) => fault(issue, given))),
  ];
  if (!result.success || faults.length > 0) {
    throw new Error(
      `invalid settings: ${faults.join('; ')}. The settings are ${KNOWN.join(', ')}, each after ${NAMESPACE}:; ` +
        'correct them in the context of cdk.json or after -c',
    );
  }
  const { models, instanceTypes: types, photosWaitSeconds, ...rest } = result.data;
  return {
    ...rest,
    models: models ?? (rest.target === 'local' ? 'tiny' : 'full'),
    instanceTypes: types ?? instanceTypes(),
    photosWaitSeconds: photosWaitSeconds ?? (rest.target === 'local' ? 2 : 60),
  };
}

function ownSettings(context: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { [NAMESPACE]: grouped } = context;
  if (grouped !== undefined && (typeof grouped !== 'object' || grouped === null || Array.isArray(grouped))) {
    throw new Error(
      `invalid settings: ${NAMESPACE}=${JSON.stringify(grouped)}. It is an object, such as ` +
        `{"environment": "production"}; one setting is written ${NAMESPACE}:environment=production`,
    );
  }
  const prefixed = Object.entries(context)
    .filter(([key]) => key.startsWith(`${NAMESPACE}:`))
    .map(([key, value]) => [key.slice(NAMESPACE.length + 1), value]);
  return { ...grouped, ...Object.fromEntries(prefixed) };
}

/** The keys that were meant as settings but are outside the namespace: a setting's name, or one letter off. */
function misplaced(context: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(context).flatMap((key) => {
    if (key === NAMESPACE || key.startsWith(`${NAMESPACE}:`)) return [];
    const name = key.replace(/^proxytune[^A-Za-z]*/i, '');
    const meant = KNOWN.find((known) => distance(name.toLowerCase(), known.toLowerCase()) <= 1);
    return meant === undefined ? [] : [`unknown key ${key}, did you mean ${NAMESPACE}:${meant}?`];
  });
}

function fault(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearest(key, KNOWN);
      return `unknown setting ${NAMESPACE}:${key}, did you mean ${NAMESPACE}:${meant}?`;
    });
  }
  const key = String(issue.path[0]);
  return [`${NAMESPACE}:${key}=${JSON.stringify(given[key])}: ${issue.message}`];
}
