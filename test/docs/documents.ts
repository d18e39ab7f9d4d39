/** The documents of the repository, and the parts of their text that the tests look at. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));

export const documents = tracked.filter((file) => file.endsWith('.md'));

const files = new Set(tracked);
const folders = new Set(
  tracked.flatMap((file) => {
    const parts = file.split('/').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  }),
);

/** The names of the folders directly inside a folder that have tracked files. */
export function foldersIn(folder: string): string[] {
  return [...folders]
    .filter((path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes('/'))
    .map((path) => path.slice(folder.length + 1))
    .sort();
}

/** Paths in a text that start at a folder of ours; those with a placeholder end before it. */
export function pathsIn(text: string): string[] {
  const path = /(?<![\w./@:-])(?:bin|lib|lambdas|containers|test|docs|examples)\/[\w./-]*/g;
  return [...text.matchAll(path)].map(([match]) => match.replace(/[./]+$/, ''));
}

/** The paths in a text at which the repository has neither a file nor a folder. */
export function missingPaths(text: string): string[] {
  return pathsIn(text).filter((path) => !files.has(path) && !folders.has(path));
}

/** Paragraphs and list items of a text, without code blocks, headings and tables. */
export function paragraphs(text: string): string[] {
  return text
    .replace(/^```.*?^```$/gms, '')
    .split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )/)
    .filter((part) => !part.startsWith('    '))
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('#') && !part.startsWith('|'));
}

export function cells(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => line.split('|').map((cell) => cell.trim()));
}

export const wordCount = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length;
