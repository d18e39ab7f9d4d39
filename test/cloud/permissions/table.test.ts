/** The policies of the synthesized templates allow what the table says, and nothing else. */
import { removeTemporary } from '../synthesize.ts';
import { discrepancies } from './discrepancies.ts';
import { templates } from './granted.ts';
import { policiesOf } from './policies.ts';
import { widenings } from './widenings.ts';

afterAll(removeTemporary);

test('the policies say exactly what the table says', () => {
  expect(discrepancies(templates)).toEqual([]);
});

test('each widening of each statement is reported', () => {
  const missed: string[] = [];
  let count = 0;
  for (const template of templates) {
    const others = templates.filter((other) => other !== template);
    for (const { what, template: widened } of widenings(template)) {
      count += 1;
      if (discrepancies([...others, widened]).length === 0) missed.push(what);
    }
  }
  const statements = templates.flatMap(policiesOf).flatMap((policy) => policy.statements).length;
  expect(missed).toEqual([]);
  expect(statements).toBeGreaterThan(80);
  expect(count).toBeGreaterThan(10 * statements);
  console.log(`${count} widenings of ${statements} statements, all caught`);
});
