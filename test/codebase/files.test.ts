/** Rules of the codebase that no linter checks. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const TEXT = /\.(ts|mjs|cjs|py|md|json|html|css|sh|toml|yml|Dockerfile)$|Dockerfile$|\.ci\/run$/;
const CODE = /\.(ts|mjs|cjs|py|html|css)$/;

function files(): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => TEXT.test(file));
}

test('no source file has more than 400 lines', () => {
  const long = files()
    .filter((file) => CODE.test(file))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

test('the top level has only the fixed folders and files', () => {
  const top = new Set(
    execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
      .map((file) => file.split('/')[0]),
  );
  const folders = ['bin', 'lib', 'lambdas', 'containers', 'test', 'docs', 'examples', '.ci'];
  const loose = [...top].filter(
    (name) =>
      name !== undefined &&
      !folders.includes(name) &&
      !/\.(json|mjs|cjs|md)$|^LICENSE$|^\.(gitignore|editorconfig|dependency-cruiser\.cjs|npmrc)$/.test(name),
  );
  expect(loose).toEqual([]);
});

test('the top of lib/core holds what everything in it stands on, and nothing else', () => {
  const files = readdirSync(join(root, 'lib/core'), { withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.map(({ name }) => name).sort()).toEqual([
    'errors.ts',
    'keys.ts',
    'names.ts',
    'nearest.ts',
    'schemas.ts',
    'words.ts',
  ]);
});
