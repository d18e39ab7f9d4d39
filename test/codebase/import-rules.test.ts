/** The import rules: each planted violation must be reported, and by its own rule. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
let codebase: string;

beforeEach(() => {
  codebase = mkdtempSync(join(tmpdir(), 'proxytune-codebase-'));
  symlinkSync(join(root, 'node_modules'), join(codebase, 'node_modules'));
  writeFileSync(join(codebase, 'package.json'), '{"type": "module"}');
});

afterEach(() => rmSync(codebase, { recursive: true, force: true }));

function plant(file: string, imports: string): void {
  const path = join(codebase, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import '${imports}';\nexport const planted = 1;\n`);
}

function lint(): string {
  const config = join(root, '.dependency-cruiser.cjs');
  const command = join(root, 'node_modules/.bin/depcruise');
  const { stdout, stderr } = spawnSync(
    command,
    ['--config', config, '--output-type', 'json', 'lib', 'lambdas'],
    {
      cwd: codebase,
      encoding: 'utf8',
    },
  );
  if (stderr.trim() !== '') throw new Error(stderr);
  return JSON.parse(stdout).summary.violations.map(({ rule }: { rule: { name: string } }) => rule.name);
}

test.each([
  ['core-imports-only-itself', 'lib/core/a.ts', '../cloud/b.ts'],
  ['core-takes-zod-and-data-only', 'lib/core/a.ts', 'node:fs'],
  ['core-takes-zod-and-data-only', 'lib/core/a.ts', '@aws-sdk/client-s3'],
  ['core-takes-zod-and-data-only', 'lib/core/a.ts', 'sharp'],
  ['aws-imports-core', 'lib/aws/a.ts', '../local/b.ts'],
  ['aws-imports-core', 'lib/aws/a.ts', '../../lambdas/shared/b.ts'],
  ['aws-clients-only-in-aws-and-local', 'lib/cli/a.ts', '@aws-sdk/client-s3'],
  ['aws-clients-only-in-aws-and-local', 'lambdas/a/handler.ts', '@aws-sdk/lib-dynamodb'],
  ['aws-clients-only-in-aws-and-local', 'lib/cloud/a.ts', '@aws-sdk/client-sfn'],
  ['cloud-imports-core', 'lib/cloud/a.ts', '../local/b.ts'],
  ['local-imports-aws-and-core', 'lib/local/a.ts', '../cli/b.ts'],
  ['cli-imports-local-aws-and-core', 'lib/cli/a.ts', '../../lambdas/b/handler.ts'],
  ['setup-imports-only-itself', 'lib/setup/a.ts', '../core/b.ts'],
  ['inspection-imports-core', 'lib/inspection/a.ts', '../local/b.ts'],
  ['lambdas-import-aws-and-core', 'lambdas/a/handler.ts', '../../lib/cloud/b.ts'],
  ['a-lambda-imports-no-other', 'lambdas/a/handler.ts', '../b/handler.ts'],
])('%s: %s may not import %s', (rule, file, imports) => {
  mkdirSync(join(codebase, 'lambdas'), { recursive: true });
  mkdirSync(join(codebase, 'lib'), { recursive: true });
  if (imports.startsWith('.')) plant(join(dirname(file), imports), 'zod');
  plant(file, imports);
  expect(lint()).toContain(rule);
});

test('allowed imports are not reported', () => {
  plant('lib/core/b.ts', 'zod');
  plant('lib/core/c.ts', '@noble/hashes/sha2.js');
  plant('lib/cloud/a.ts', '../core/b.ts');
  plant('lambdas/a/handler.ts', '../../lib/core/b.ts');
  plant('lib/aws/a.ts', '@aws-sdk/client-s3');
  plant('lib/local/a.ts', '@aws-sdk/client-lambda');
  expect(lint()).toEqual([]);
});
