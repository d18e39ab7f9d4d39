/** `npm run schemas`: writes the files that lib/core/schemas.ts describes, and the tables of docs/reference/subject.md. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withFieldTables } from '../lib/core/request/reference.ts';
import { exportedFiles, exportedTypes } from '../lib/core/schemas.ts';

const root = join(import.meta.dirname, '..');
const PAGE = 'docs/reference/subject.md';

for (const [file, content] of Object.entries(exportedFiles()))
  write(file, `${JSON.stringify(content, null, 2)}\n`);
for (const [file, text] of Object.entries(exportedTypes())) write(file, text);
write(PAGE, withFieldTables(readFileSync(join(root, PAGE), 'utf8')));

function write(file: string, text: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
