/** The tables of docs/reference/subject.md: the fields of a request, from its schema. */
import { z } from 'zod';
import { requestSchema } from './request.ts';

interface Field {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly prefixItems?: readonly Field[];
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

/** A table of the page, between its markers: of the request's own fields, or of those below one of them. */
const MARKED =
  /(<!-- fields(?: of (\w+))?: written by npm run schemas -->\n)[\s\S]*?(<!-- end of fields -->)/g;

/** The page with its tables written again, and everything between them as it is. */
export function withFieldTables(page: string): string {
  const request: Field = z.toJSONSchema(requestSchema, { io: 'input' }) as Field;
  return page.replace(MARKED, (_, begin: string, of: string | undefined, end: string) => {
    const table = of === undefined ? rowsOf(request) : tableOf(request.properties?.[of] ?? {}, of);
    return `${begin}\n${HEAD}${table.join('')}\n${end}`;
  });
}

const HEAD = '| Field | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n';

/** The rows of a field's own fields; a stage of `advanced` stands for its fields. */
function tableOf(field: Field, path: string): string[] {
  return Object.entries(field.properties ?? {}).flatMap(([name, inner]) =>
    inner.properties === undefined
      ? [rowOf(`${path}.${name}`, inner, field.required?.includes(name) ?? false)]
      : tableOf(inner, `${path}.${name}`),
  );
}

function rowsOf({ properties = {}, required = [] }: Field): string[] {
  return Object.entries(properties).map(([name, field]) => rowOf(name, field, required.includes(name)));
}

function rowOf(path: string, field: Field, required: boolean): string {
  const { description = '' } = field;
  // What the default depends on is said in words.
  const [, meaning = description, spoken = ''] = /^(.*)\. Default: (.+)$/.exec(description) ?? [];
  const standard =
    field.default === undefined ? spoken : `\`${JSON.stringify(field.default).replaceAll('"', '')}\``;
  const cells = [`\`${path}\``, typeOf(field), required ? 'required' : standard, allowed(field), meaning];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('S*', 'S\\*')).join(' | ')} |\n`;
}

function typeOf({ type = '', const: only, prefixItems }: Field): string {
  if (only !== undefined) return `\`${only}\``;
  return prefixItems === undefined ? type : `${prefixItems.length} ${prefixItems[0]?.type}s`;
}

function allowed(field: Field): string {
  const { enum: choices, minimum, exclusiveMinimum, maximum, prefixItems } = field;
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  if (prefixItems?.[0] !== undefined) return `each ${allowed(prefixItems[0])}`;
  if (minimum !== undefined) return `${minimum} to ${maximum}`;
  return exclusiveMinimum === undefined ? '' : `above ${exclusiveMinimum}, to ${maximum}`;
}
