/** The lambda bundles, copied away from the repository as they are in Lambda: each folder must be self-contained. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleLambdas } from '../../lib/cloud/bundle-lambdas.ts';
import { ALL_LAMBDA_NAMES } from '../../lib/cloud/lambda-names.ts';
import { bundlesFor, removeTemporary, temporary } from './synthesize.ts';

const { folders, metafile } = bundlesFor('local');
const node = resolve('node_modules/.bin/node');
const HEIC = resolve('../shared/photos/hostile');

afterAll(removeTemporary);

/** Runs a module's text in a copy of one lambda, outside the repository. */
function runInCopy(name: (typeof ALL_LAMBDA_NAMES)[number], code: string): string {
  const away = temporary('proxytune-away-');
  cpSync(folders[name], join(away, 'lambda'), { recursive: true });
  return execFileSync(node, ['--input-type=module', '--eval', code], {
    cwd: join(away, 'lambda'),
    env: { AWS_REGION: 'us-east-1', PATH: process.env.PATH },
    encoding: 'utf8',
  });
}

test('there is a name for every handler, and a handler for every name', () => {
  const handlers = readdirSync('lambdas').filter((name) => existsSync(join('lambdas', name, 'handler.ts')));
  expect(handlers.sort()).toEqual([...ALL_LAMBDA_NAMES].sort());
});

test.each(ALL_LAMBDA_NAMES)('%s loads on its own and has a handler', (name) => {
  const out = runInCopy(
    name,
    "const { handler } = await import('./index.mjs'); console.log(typeof handler);",
  );
  expect(out.trim()).toBe('function');
});

test('only inspect-photos has native code', () => {
  for (const name of ALL_LAMBDA_NAMES) {
    const imports = /from ?["'](sharp|heic-decode)["']/.test(
      readFileSync(join(folders[name], 'index.mjs'), 'utf8'),
    );
    expect([name, imports]).toEqual([name, name === 'inspect-photos']);
    expect([name, existsSync(join(folders[name], 'node_modules'))]).toEqual([
      name,
      name === 'inspect-photos',
    ]);
  }
});

test('inspect-photos can create and scale an image with its copy of sharp', () => {
  const code = `
    import { createRequire } from 'node:module';
    const sharp = createRequire(process.cwd() + '/index.mjs')('sharp');
    const png = await sharp({ create: { width: 64, height: 32, channels: 3, background: 'red' } }).resize(8).png().toBuffer();
    console.log((await sharp(png).metadata()).width);`;
  expect(runInCopy('inspect-photos', code).trim()).toBe('8');
});

test('inspect-photos can decode HEIC with its copy of the decoder', () => {
  const photo = existsSync(HEIC) ? readdirSync(HEIC).find((name) => /\.heic$/i.test(name)) : undefined;
  if (photo === undefined) {
    console.warn(`not tested: no HEIC photo in ${HEIC}`);
    return;
  }
  const code = `
    import { createRequire } from 'node:module';
    import { readFileSync } from 'node:fs';
    const decode = createRequire(process.cwd() + '/index.mjs')('heic-decode');
    const picture = await decode({ buffer: readFileSync(${JSON.stringify(join(HEIC, photo))}) });
    console.log(picture.data.length === picture.width * picture.height * 4);`;
  expect(runInCopy('inspect-photos', code).trim()).toBe('true');
});

/** The code of our own modules in a bundle; esbuild names each module in a comment before it. */
function ownCode(name: (typeof ALL_LAMBDA_NAMES)[number]): string {
  const code = readFileSync(join(folders[name], 'index.mjs'), 'utf8');
  const modules = code.split(/^(?=\/\/ \S+\.(?:m?[jt]s|json)$)/m);
  return modules.filter((module) => /^\/\/ (lambdas|lib)\//.test(module)).join('\n');
}

test.each(ALL_LAMBDA_NAMES)('%s reads no files and knows no linked models of its machine', (name) => {
  const code = ownCode(name);
  expect(code).toMatch(/^\/\/ lambdas\/[\w-]+\/handler\.ts$/m);
  expect(code).not.toMatch(/LINKED_MODELS|["'](?:node:)?fs(?:\/promises)?["']/);
  expect(code).not.toMatch(/^\/\/ lib\/(local|cli)\//m);
});

/** The AWS clients that each lambda uses; any other one would only make its bundle larger and its start slower. */
const CLIENTS: Readonly<Record<(typeof ALL_LAMBDA_NAMES)[number], readonly string[]>> = {
  'start-run': ['sfn'],
  'withdraw-run': ['sfn'],
  'plan-run': ['dynamodb', 'ecr', 's3', 'sns'],
  'inspect-photos': ['s3'],
  'start-job': ['dynamodb', 's3', 'sagemaker'],
  'complete-job': ['dynamodb', 's3', 'sagemaker', 'sfn'],
  'reconcile-job': ['dynamodb', 's3', 'sagemaker'],
  'decide-round': ['dynamodb', 's3'],
  'end-run': ['dynamodb', 'sagemaker', 'sns'],
  'publish-run': ['dynamodb', 's3', 'sagemaker', 'sns'],
  'stop-jobs': ['sagemaker', 'sfn'],
  'check-data': ['dynamodb', 's3'],
  'empty-bucket': ['cloudformation', 's3'],
  'retain-job-logs': ['cloudwatch-logs'],
};

/** Files of which something is left in a bundle. */
function filesIn(name: (typeof ALL_LAMBDA_NAMES)[number]): string[] {
  const [, output] =
    Object.entries(metafile.outputs).find(([file]) => file.endsWith(`/${name}/index.mjs`)) ?? [];
  const used = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return used.map(([file]) => file);
}

test.each(ALL_LAMBDA_NAMES)('%s has the AWS clients that it uses, and no others', (name) => {
  const clients = filesIn(name).flatMap((file) => /@aws-sdk\/client-([\w-]+)\//.exec(file)?.[1] ?? []);
  expect([...new Set(clients)].sort()).toEqual(CLIENTS[name]);
});

test.each(['start-run', 'inspect-photos'] as const)('%s parses no schema, so zod is not in it', (name) => {
  expect(filesIn(name).filter((file) => file.includes('/zod/'))).toEqual([]);
});

test('bundling again changes no file, so that no deployment follows', () => {
  const times = () => ALL_LAMBDA_NAMES.map((name) => statSync(join(folders[name], 'index.mjs')).mtimeMs);
  const before = times();
  bundleLambdas({ target: 'local' });
  expect(times()).toEqual(before);
});

test('names a missing handler', () => {
  const root = temporary('proxytune-empty-');
  mkdirSync(join(root, 'lambdas'));
  expect(() => bundleLambdas({ target: 'local', root })).toThrow(
    'handlers are missing: lambdas/start-run/handler.ts, lambdas/withdraw-run/handler.ts, lambdas/plan-run/handler.ts',
  );
});
