/** Places in this repository that the local cloud runs programs from. */
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');
export const PYTHON = join(ROOT, '.venv/bin/python');
