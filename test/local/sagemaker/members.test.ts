/** No member of a request is silently ignored: each is read, refused, or known to have no effect on this machine. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REFUSED, refuseUnserved, WITHOUT_EFFECT } from '../../../lib/local/sagemaker/model/members.ts';
import { apiModel, shapeNamed } from '../../../lib/local/sagemaker/model/shapes.ts';
import { operations } from '../../../lib/local/sagemaker/operations/index.ts';

/** Every member below a shape, as a path: `InputDataConfig[].ChannelName`. */
function pathsOf(shapeName: string, at = ''): string[] {
  const shape = shapeNamed(shapeName);
  if (shape.member) return pathsOf(shape.member, `${at}[]`);
  return Object.entries(shape.members ?? {}).flatMap(([name, inner]) => {
    const path = at === '' ? name : `${at}.${name}`;
    return [path, ...pathsOf(inner, path)];
  });
}

const MEMBERS = Object.keys(operations).flatMap((operation) =>
  pathsOf(apiModel.operations[operation]?.input ?? '').map((path) => ({ operation, path })),
);

const isBelow = (path: string, above: string) =>
  path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[]`);

/** The code of the service, without the tables, the types of requests, and comments. */
const folder = join(import.meta.dirname, '../../../lib/local/sagemaker');
const CODE = globSync('**/*.ts', { cwd: folder })
  .filter((file) => !/^(model\/members|state\/requests|extract-model)\.ts$/.test(file))
  .map((file) => readFileSync(join(folder, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''))
  .join('\n');

test('the model has the members that the service was written for', () => {
  expect(MEMBERS.length).toBeGreaterThan(300);
  expect(Object.keys(operations).sort()).toEqual(Object.keys(apiModel.operations).sort());
});

test('every member of every operation is read, refused or known to have no effect', () => {
  const ignored = MEMBERS.filter(({ operation, path }) => {
    const listed = [
      ...Object.keys(REFUSED[operation] ?? {}),
      ...Object.keys(WITHOUT_EFFECT[operation] ?? {}),
    ];
    if (listed.some((above) => isBelow(path, above))) return false;
    // Refused by a rule as a whole, for reasons that depend on other members.
    if (REFUSED_BY_RULES.some((above) => isBelow(path, above) && path !== above)) return false;
    const name = path.replace(/\[\]$/, '').split('.').at(-1) ?? '';
    return !new RegExp(`\\b${name}\\b`).test(CODE);
  });
  expect(ignored).toEqual([]);
});

/** Whole structures that rules/local-limits.ts and rules/transform.ts refuse. */
const REFUSED_BY_RULES = [
  'InputDataConfig[].DataSource.FileSystemDataSource',
  'ResourceConfig.InstanceGroups',
  'ServerlessJobConfig',
  'PrimaryContainer.ModelDataSource',
  'Containers[].ModelDataSource',
];

test('the tables list only members that exist, each once', () => {
  for (const table of [REFUSED, WITHOUT_EFFECT]) {
    for (const [operation, members] of Object.entries(table)) {
      const known = MEMBERS.filter((member) => member.operation === operation).map(({ path }) => path);
      expect(known).toEqual(expect.arrayContaining(Object.keys(members)));
    }
  }
  for (const [operation, members] of Object.entries(REFUSED)) {
    const other = Object.keys(WITHOUT_EFFECT[operation] ?? {});
    expect(other.filter((path) => Object.keys(members).some((above) => isBelow(path, above)))).toEqual([]);
  }
});

/** The smallest request with the member at a path. */
function requestWith([name = '', ...rest]: readonly string[]): unknown {
  const inner = rest.length === 0 ? {} : requestWith(rest);
  return name.endsWith('[]') ? { [name.slice(0, -2)]: [{}, inner] } : { [name]: inner };
}

const EVERY_REFUSED = Object.entries(REFUSED).flatMap(([operation, members]) =>
  Object.entries(members).map(([path, remedy]) => ({ operation, path, remedy })),
);

test.each(EVERY_REFUSED)('$operation refuses $path', ({ operation, path, remedy }) => {
  expect(() => refuseUnserved(operation, requestWith(path.split('.')))).toThrow(
    expect.objectContaining({
      type: 'ValidationException',
      message: expect.stringContaining(`does not support ${path}: ${remedy}`),
    }),
  );
});

test('a request without such members passes, also with null in their place', () => {
  const request = { TrainingJobName: 'x', ExperimentConfig: null, InputDataConfig: [{ ChannelName: 'c' }] };
  expect(() => refuseUnserved('CreateTrainingJob', request)).not.toThrow();
});
