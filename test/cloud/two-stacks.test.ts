/** Two deployments in one account and region: nothing that one may touch, or listens to, belongs to the other. */
import { modelIds } from '../../lib/core/catalogue/models.ts';
import { importJobName } from '../../lib/core/jobs/import-job.ts';
import { generationJobName, jobName, jobPrefix, runId, tokenSecret } from '../../lib/core/names.ts';
import { JOB_STAGES } from '../../lib/core/words.ts';
import { text } from './permissions/names.ts';
import { list, policiesOf } from './permissions/policies.ts';
import { removeTemporary, resourcesOf, synthesize, type Template } from './synthesize.ts';

/** Names that begin alike, or differ in case alone. */
const NAMES = ['Proxytune', 'Proxytune-2', 'proxytune'];
const LONGEST = 'a'.repeat(40);

const stacks = NAMES.map((name) => {
  const { template, data } = synthesize({ name });
  return { name, templates: [template, data] };
});

afterAll(removeTemporary);

/** A value as it is once the stack is deployed: what refers to a resource contains the stack's own name. */
function deployed(stack: string, value: unknown): string {
  const account: Record<string, string> = {
    'AWS::Partition': 'aws',
    'AWS::Region': 'us-east-1',
    'AWS::AccountId': '123456789012',
    'AWS::URLSuffix': 'amazonaws.com',
  };
  return text(value).replace(/\$\{([\w.:]+)\}/g, (_, name: string) => account[name] ?? `<${stack} ${name}>`);
}

/** The resources in every policy of a stack, as patterns. */
function patternsOf(stack: string, templates: readonly Template[]): string[] {
  const statements = templates.flatMap(policiesOf).flatMap((policy) => policy.statements);
  const resources = statements.flatMap(({ Resource = [] }) => list(Resource as string | string[]));
  return [...new Set(resources.map((resource) => deployed(stack, resource)))].sort();
}

/** The names of all jobs and models that a stack can create, with the longest runs, rounds and attempts. */
function jobsOf(stack: string): string[] {
  const prefix = jobPrefix(stack);
  const upload = { bucket: 'b', key: 'subjects/a/subject.json', version: '1' };
  const runs = ['a', 'import', 'gen', LONGEST, ...NAMES].map((subject) => runId(subject, upload));
  const attempts = runs.flatMap((run) => [
    ...JOB_STAGES.map((stage) => jobName({ run, stage, attempt: 99 }, prefix)),
    jobName({ run, stage: 'synthesize', round: 20, attempt: 40 }, prefix),
    generationJobName({ run, id: 'ffffffff', attempt: 999 }, prefix),
  ]);
  return [...attempts, ...modelIds().map((id) => importJobName(id, new Date(), prefix))];
}

function arnsOf(stack: string): string[] {
  const sagemaker = jobsOf(stack).flatMap((name) =>
    ['training-job', 'transform-job', 'model'].map(
      (kind) => `arn:aws:sagemaker:us-east-1:123456789012:${kind}/${name}`,
    ),
  );
  const secret = `arn:aws:secretsmanager:us-east-1:123456789012:secret:${tokenSecret(stack)}-AbCdEf`;
  return [...sagemaker, secret];
}

/** Matches as IAM does. */
function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}

/** Resources that the stacks of an account cannot help sharing. */
const SHARED: Readonly<Record<string, string>> = {
  '*': 'actions that have no resource types; test/cloud/permissions has the reason of each',
  'arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*':
    'SageMaker writes the logs of all jobs of an account into one group',
  'arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TransformJobs:*': 'the same',
};

const PAIRS = stacks.flatMap((one) =>
  stacks
    .filter((other) => other !== one)
    .map((other) => ({ name: one.name, foreign: other.name, one, other })),
);

test.each(PAIRS)('no policy of $name speaks of anything of $foreign', ({ one, other }) => {
  const patterns = patternsOf(one.name, one.templates).filter((pattern) => !(pattern in SHARED));
  const foreign = [...arnsOf(other.name), ...patternsOf(other.name, other.templates)].filter(
    (name) => !(name in SHARED),
  );
  const touched = patterns.flatMap((pattern) =>
    foreign.filter((name) => matches(pattern, name)).map((name) => `${pattern} matches ${name}`),
  );
  console.log(`${one.name}, ${other.name}: ${patterns.length} patterns, ${foreign.length} names`);
  expect(touched).toEqual([]);
});

test.each(stacks)(
  'the policies of $name cover every job of its own, and its token',
  ({ name, templates }) => {
    const patterns = patternsOf(name, templates).filter((pattern) => !(pattern in SHARED));
    const uncovered = arnsOf(name).filter((arn) => !patterns.some((pattern) => matches(pattern, arn)));
    expect(uncovered).toEqual([]);
  },
);

test.each(stacks)('every name of a job of $name is one that SageMaker takes', ({ name }) => {
  const refused = jobsOf(name).filter((job) => job.length > 63 || !/^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/.test(job));
  expect(refused).toEqual([]);
});

test.each(PAIRS)('no rule of $name is called for a job of $foreign', ({ one, other }) => {
  const rules = one.templates.flatMap((template) => resourcesOf(template, 'AWS::Events::Rule'));
  const prefixes = rules.flatMap(([, { Properties }]) =>
    ['TrainingJobName', 'TransformJobName'].flatMap((key) => Properties.EventPattern.detail[key] ?? []),
  ) as { readonly prefix: string }[];
  expect(prefixes).toHaveLength(2);
  for (const { prefix } of prefixes) {
    expect(jobsOf(other.name).filter((job) => job.startsWith(prefix))).toEqual([]);
    expect(jobsOf(one.name).filter((job) => !job.startsWith(prefix))).toEqual([]);
  }
});

/** Properties that name a resource; where they refer to another one, that one's name is CloudFormation's. */
const NAMING = /^(?:Role|Function|Table|Bucket|Topic|Queue|StateMachine|LogGroup|Alarm|Repository)Name$/;

test('no two stacks have a resource of the same name', () => {
  const named = stacks.flatMap(({ templates }) =>
    templates.flatMap(({ Resources }) =>
      Object.values(Resources).flatMap(({ Type, Properties = {} }) =>
        Object.keys(Properties)
          .filter((key) => NAMING.test(key) && typeof Properties[key] === 'string')
          .map((key) => `${Type} ${Properties[key]}`),
      ),
    ),
  );
  expect(named.filter((name, index) => named.indexOf(name) !== index)).toEqual([]);
});
