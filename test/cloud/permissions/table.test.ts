/** The policies of the synthesized templates allow what the table says, and nothing else. */
import { removeTemporary } from '../synthesize.ts';
import { discrepancies } from './discrepancies.ts';
import { templates, templatesWithAllSettings } from './granted.ts';
import { policiesOf } from './policies.ts';
import { TABLE, TABLE_WITH_ALL_SETTINGS } from './table/index.ts';
import { widenings } from './widenings.ts';

afterAll(removeTemporary);

describe.each([
  ['the default settings', templates, TABLE],
  ['adopted data and a retention of the logs of jobs', templatesWithAllSettings(), TABLE_WITH_ALL_SETTINGS],
])('with %s', (settings, all, table) => {
  test('the policies say exactly what the table says', () => {
    expect(discrepancies(all, table)).toEqual([]);
  });

  test('each widening of each statement is reported', () => {
    // Otherwise every widening would seem to be reported.
    expect(discrepancies(all, table)).toEqual([]);
    const missed: string[] = [];
    let count = 0;
    for (const template of all) {
      const others = all.filter((other) => other !== template);
      for (const { what, template: widened } of widenings(template)) {
        count += 1;
        if (discrepancies([...others, widened], table).length === 0) missed.push(what);
      }
    }
    const statements = all.flatMap(policiesOf).flatMap((policy) => policy.statements).length;
    expect(missed).toEqual([]);
    expect(statements).toBeGreaterThan(80);
    expect(count).toBeGreaterThan(10 * statements);
    console.log(`with ${settings}: ${count} widenings of ${statements} statements, all caught`);
  });
});
