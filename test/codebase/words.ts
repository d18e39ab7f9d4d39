/**
 * The words that this codebase does not use, because the field has better ones (docs/adr/0014-words-of-the-field.md).
 * Read by words.test.ts; `node test/codebase/words.ts [FOLDER...]` lists what is left in folders.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const TEXT = /\.(ts|mjs|cjs|py|md|json|html|css|sh|svg)$|Dockerfile$|\.ci\/run$/;
/** Data that others wrote, and files that name the words because they are about them. */
const NOT_READ = [
  /^package-lock\.json$/,
  /^containers\/models\//,
  /^containers\/tests\/golden\//,
  /tokenizer.*\.json$/,
  /^lib\/local\/sagemaker\/data\//,
  /^docs\/miniature-pretraining\.log$/,
  /^docs\/adr\/0014-words-of-the-field\.md$/,
  /^test\/codebase\/words\.(ts|test\.ts)$/,
];

export interface Word {
  /** Matches the word in a line whose identifiers were split into their parts. */
  readonly pattern: RegExp;
  /** The field's word. */
  readonly instead: string;
}

/** `\b` on both sides, any case. */
const word = (pattern: string, instead: string): Word => ({
  pattern: new RegExp(`\\b(?:${pattern})\\b`, 'i'),
  instead,
});

export const WORDS: readonly Word[] = [
  word('learners?', 'student trainer'),
  word('(?<!Sage )makers?', 'generator'),
  word('lessons?', 'train config'),
  word('trainees?|pupils?', 'trainable, train state'),
  word('loss of\\(|numbers, dropped', 'loss(batch)'),
  word('sample ?book', 'validation images'),
  word('handed on|hands on|hand on', 'selected'),
  word('rooms?', 'batch backoff; package, folder; space'),
  word('moving|moved|numbered', 'transfer, to_device'),
  word('anew', 'again; activation checkpointing'),
  word('fusing', 'merging'),
  word('told', 'reported'),
  word('held', 'stored, guarded, kept'),
  word('settle job', 'complete-job'),
  word('weigh proxies', 'decide-round'),
  word('roads?', 'pipeline'),
  word('houses?', 'codebase'),
  word('doors?', 'entry point'),
  word('(?:brought|bring|brings|bringing) in', 'import, imported'),
  word('import orders?', 'import request'),
  word('marks', 'identifying fields'),
  word('mend|mends|mended', 'fix'),
  word('dear', 'expensive'),
  word('spoilt|spoils|spoil', 'corrupt'),
  word('of sense', 'reasonable'),
  word('lanes?', 'seed streams, workers'),
  word(
    '(?<!there )(?:is|are|was|were) no (?!longer\\b|more\\b|less\\b|one\\b|such\\b)\\w+',
    'is not a, invalid',
  ),
];

export interface Exception {
  readonly file: RegExp;
  readonly line: RegExp;
  readonly why: string;
}

/** Where one of the words is right. `line` matches the line as it was before it was split. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    file: /^lib\/core\/catalogue\/data\/prompts\.json$/,
    line: /\b(?:house|door|road)\b/,
    why: 'a house is a thing to draw, and doors and roads are places for things',
  },
  {
    file: /./,
    line: /(?<![a-z])held[- _](?:out|back)(?![a-z])/i,
    why: 'data held out of training are the field’s own word',
  },
  {
    file: /^containers\/proxytune\/drawn_world\/(?:appearance|shapes)\.py$/,
    line: /"house"|_house\b/,
    why: 'a house is one of the six things of the drawn domain',
  },
  {
    file: /^lib\/core\/contract\/curation\.ts$|^docs\//,
    line: /\bmoved\b.* mean\b/,
    why: 'a round of proxies moves the mean of all',
  },
  {
    file: /^containers\/tests\//,
    line: /\bmarks=pytest\.mark\./,
    why: 'the name of an argument of pytest',
  },
  {
    file: /^docs\//,
    line: /mug, car, fish, house,? (?:bear|and)|held-back-house/,
    why: 'a house is one of the six things of the drawn domain',
  },
];

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly found: string;
  readonly instead: string;
}

/** The tracked and new text files below some folders. */
function files(folders: readonly string[]): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...folders];
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => TEXT.test(file) && !NOT_READ.some((pattern) => pattern.test(file)));
}

/** The words of a line: identifiers in camel case, snake case and kebab case are split into their parts. */
export function split(line: string): string {
  return line
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .replace(/\s+/g, ' ');
}

/** Every private word in a text that no exception allows. */
export function findingsIn(file: string, text: string, exceptions = EXCEPTIONS): Finding[] {
  const own = exceptions.filter((one) => one.file.test(file));
  return text.split('\n').flatMap((line, index) => {
    if (own.some((one) => one.line.test(line))) return [];
    const parts = split(line);
    return WORDS.flatMap(({ pattern, instead }) => {
      const found = pattern.exec(parts)?.[0];
      return found === undefined ? [] : [{ file, line: index + 1, found, instead }];
    });
  });
}

/** Every private word in the files below some folders, and in their names. */
export function findings(folders: readonly string[] = ['.'], exceptions = EXCEPTIONS): Finding[] {
  return files(folders).flatMap((file) => [
    ...findingsIn(file, file, exceptions).map((finding) => ({ ...finding, line: 0 })),
    ...findingsIn(file, readText(file), exceptions),
  ]);
}

/** Docstrings of Python and doc comments of TypeScript that begin with a free relative clause. */
export function relativeClausesIn(file: string, text: string): Finding[] {
  if (!/\.(py|ts|mjs)$/.test(file)) return [];
  const start = /(?:"""|\/\*\*\s*(?:\n\s*\*\s*)?)(What|Which|Whether)\b[^\n]*/g;
  return [...text.matchAll(start)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length,
    found: match[0].slice(0, 60),
    instead: 'a verb or a noun phrase',
  }));
}

export function relativeClauses(folders: readonly string[] = ['.']): Finding[] {
  return files(folders).flatMap((file) => relativeClausesIn(file, readText(file)));
}

function readText(file: string): string {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    return ''; // Deleted in the working tree, not yet in the index.
  }
}

if (process.argv[1] === import.meta.filename) {
  const folders = process.argv.length > 2 ? process.argv.slice(2) : ['.'];
  const left = [...findings(folders), ...relativeClauses(folders)];
  for (const { file, line, found, instead } of left)
    process.stdout.write(`${file}:${line}: "${found}" (${instead})\n`);
  process.stdout.write(`${left.length} left\n`);
}
