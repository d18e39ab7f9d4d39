/** `npm run schemas`: writes the files that lib/core/schemas.ts describes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exportedFiles, exportedTypes } from '../lib/core/schemas.ts';

const root = join(import.meta.dirname, '..');

for (const [file, content] of Object.entries(exportedFiles()))
  write(file, `${JSON.stringify(content, null, 2)}\n`);
for (const [file, text] of Object.entries(exportedTypes())) write(file, text);

function write(file: string, text: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
