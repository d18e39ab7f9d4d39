/** Compares the policies of a template with the table. */
import type { Resource, Template } from '../synthesize.ts';
import { grantsOf, line } from './grants.ts';
import { ambiguous } from './names.ts';
import { list, policiesIn, unreadable } from './policies.ts';
import type { Row } from './table/row.ts';

interface Reading {
  readonly lines: readonly string[];
  readonly unreadable: readonly string[];
}

/** Kept because the tests change one resource of a template at a time, hundreds of times. */
const readings = new WeakMap<Resource, Reading>();

function read(id: string, resource: Resource): Reading {
  const known = readings.get(resource);
  if (known !== undefined) return known;
  const lines = policiesIn(id, resource).flatMap(grantsOf).map(line);
  const reading = { lines, unreadable: unreadable(id, resource) };
  readings.set(resource, reading);
  return reading;
}

const linesOfTables = new WeakMap<readonly Row[], ReadonlySet<string>>();

function linesOf(table: readonly Row[]): ReadonlySet<string> {
  const known = linesOfTables.get(table);
  if (known !== undefined) return known;
  const lines = table.flatMap(({ who, may, on, mayNot, if: conditions = {} }) =>
    list(who).flatMap((one) =>
      list(may ?? mayNot).flatMap((action) =>
        list(on).map((resource) =>
          line({
            who: one,
            effect: may === undefined ? 'may not' : 'may',
            action,
            on: resource,
            if: conditions,
          }),
        ),
      ),
    ),
  );
  const unique = new Set(lines);
  linesOfTables.set(table, unique);
  return unique;
}

/** Lists each difference between the policies and a table, in words; none if they say the same. */
export function discrepancies(templates: readonly Template[], table: readonly Row[]): string[] {
  const allowed = linesOf(table);
  const all = templates.flatMap(({ Resources }) => Object.entries(Resources));
  const resources = all.map(([id, resource]) => read(id, resource));
  const found = new Set(resources.flatMap(({ lines }) => lines));
  return [
    ...resources.flatMap((reading) => reading.unreadable),
    ...ambiguous(all.map(([id]) => id)),
    ...[...found].filter((one) => !allowed.has(one)).map((one) => `not in the table: ${one}`),
    ...[...allowed].filter((one) => !found.has(one)).map((one) => `only in the table: ${one}`),
  ];
}
