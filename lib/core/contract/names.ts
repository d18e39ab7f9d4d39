/**
 * Names and limits that TypeScript and Python both use, in one file: `names.json`, which is exported to the containers
 * unchanged. Python reads it in containers/proxytune/contract/names.py. A test checks it against its schema: parsing it
 * here would put zod into lambdas that need no schema, and double their size.
 */
import data from './names.json' with { type: 'json' };
import type { Names } from './names-schema.ts';

export const names = data as Names;
