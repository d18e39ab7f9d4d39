/** The policies of the synthesized template allow what the table says, and nothing else. */
import { removeTemporary, synthesize } from '../synthesize.ts';
import { discrepancies } from './discrepancies.ts';
import { policiesOf } from './policies.ts';
import { widenings } from './widenings.ts';

afterAll(removeTemporary);

test('the policies say exactly what the table says', () => {
  expect(discrepancies([synthesize().template])).toEqual([]);
});

test('each widening of each statement is reported', () => {
  const { template } = synthesize();
  const missed: string[] = [];
  let count = 0;
  for (const { what, template: widened } of widenings(template)) {
    count += 1;
    if (discrepancies([widened]).length === 0) missed.push(what);
  }
  const statements = policiesOf(template).flatMap(({ statements }) => statements).length;
  expect(missed).toEqual([]);
  expect(statements).toBeGreaterThan(80);
  expect(count).toBeGreaterThan(10 * statements);
  console.log(`${count} widenings of ${statements} statements, all caught`);
});
