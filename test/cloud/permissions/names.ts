/** The names that the table has for the roles and resources of a template. */
/** A value of a template as text, each reference as `${LogicalId}` or `${LogicalId.Attribute}`. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const [[key, argument] = ['', '']] = Object.entries(value);
  if (key === 'Ref') return `\${${argument}}`;
  if (key === 'Fn::GetAtt') return `\${${argument.join('.')}}`;
  if (key === 'Fn::Join') return argument[1].map(text).join(argument[0]);
  if (key === 'Fn::Sub' && typeof argument === 'string') return argument;
  return JSON.stringify(value);
}

const kebab = (name: string): string => name.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase();

/** The name of a reference in the table. The pattern is of a logical id without its digest. */
const REFERENCES: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^Data\.Arn$|^Data$/, () => 'bucket'],
  [/^Runs(\.Arn)?$/, () => 'table'],
  [/^Notifications$/, () => 'topic'],
  [/^Images$/, () => 'repository'],
  [/^EventQueue(\.Arn)?$/, () => 'queue'],
  [/^Machine(\.Name)?$/, () => 'machine'],
  [/^MachineRole(\.Arn)?$/, () => 'role of the machine'],
  [/^JobRole(\.Arn)?$/, () => 'role of jobs'],
  [/^ImportRole(\.Arn)?$/, () => 'role of the import'],
  [
    /^(?:MachineLambdas|EventLambdas|Adoption|JobLogs|Stopping|DataEmptied)(\w+)Role(\.Arn)?$/,
    ([, name = '']) => `role of ${kebab(name)}`,
  ],
  [
    /^(?:MachineLambdas|EventLambdas|Adoption|JobLogs|Stopping|DataEmptied)(\w+)Logs\.Arn$/,
    ([, name = '']) => `log of ${kebab(name)}`,
  ],
  [
    /^(?:MachineLambdas|EventLambdas|Stopping|DataEmptied)(?!Result)(\w+)\.Arn$/,
    ([, name = '']) => `lambda ${kebab(name)}`,
  ],
  [/^Events(\w+)\.Arn$/, ([, name = '']) => `rule ${name}`],
  [/^AWS::AccountId$/, () => 'this account'],
];

/** An ARN that is made from the name of a resource of the other stack. */
const FROM_NAME =
  /arn:\$\{AWS::Partition\}:(s3:::|dynamodb:\$\{AWS::Region\}:\$\{AWS::AccountId\}:table\/)(?=\$\{)/g;
const OURS = /arn:\$\{AWS::Partition\}:(\w+):\$\{AWS::Region\}:\$\{AWS::AccountId\}:/g;
const DIGEST = /(?<=\w)[0-9A-F]{8}(?=\.|$)/;

/** A value as the table writes it. What has no name stays a logical id, which no row of the table has. */
export function named(value: unknown): string {
  return text(value)
    .replace(FROM_NAME, '')
    .replace(OURS, '$1:')
    .replace(/\$\{([\w.:]+)\}/g, (whole, reference: string) => nameOf(reference) ?? whole);
}

/** The CDK leaves a part of an id out that ends like the part before, so a lambda and its log have the same id here. */
const BY_DIGEST: Readonly<Record<string, string>> = {
  JobLogsRetainJobLogs423E4447: 'log of retain-job-logs',
  JobLogsRetainJobLogs03807D69: 'lambda retain-job-logs',
};

function nameOf(reference: string): string | undefined {
  const known = BY_DIGEST[reference.replace(/\.Arn$/, '')];
  if (known !== undefined) return known;
  const id = reference.replace(DIGEST, '');
  for (const [pattern, name] of REFERENCES) {
    const match = pattern.exec(id);
    if (match !== null) return name(match);
  }
  return undefined;
}

/** The name of a role or service whose permissions the table lists. */
export const holder = (reference: unknown): string => named(reference).replace(/^role of (the )?/, '');

/** Lists names that two resources share, because a permission on one looks like one on the other. */
export function ambiguous(resources: readonly string[]): string[] {
  const ids = new Map<string, string[]>();
  for (const id of resources) {
    for (const name of new Set([nameOf(id), nameOf(`${id}.Arn`)]))
      if (name !== undefined) ids.set(name, [...(ids.get(name) ?? []), id]);
  }
  return [...ids]
    .filter(([, owners]) => owners.length > 1)
    .map(([name, owners]) => `${name} is ${owners.join(' and ')}`);
}
