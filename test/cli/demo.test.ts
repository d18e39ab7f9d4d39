import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE, introduction, nextStep } from '../../lib/cli/commands/demo.ts';
import { planOf } from '../../lib/cli/commands/plan.ts';
import { eachModel } from '../../lib/core/words.ts';

const plan = planOf(EXAMPLE, { local: true });

test('the demo runs on models that stand for themselves, so that its verdict is one', () => {
  expect(readdirSync(join(EXAMPLE, 'photos'))).toHaveLength(5);
  for (const { id, standInFor } of eachModel(plan.models))
    expect({ id, standInFor }).toEqual({ id: expect.stringMatching(/-miniature$/), standInFor: null });
});

test('the demo says in which domain it is, and how many proxies name a context and why', () => {
  const text = introduction(plan).join('\n');
  expect(text).toContain('Five photos of a car go in; a report comes out.');
  expect(text).toContain(plan.world.note);
  expect(text).toContain('150 proxies of "a ohwx car", 75 of them in one of 6 contexts');
  expect(text).toContain('two contexts only');
  expect(text).toContain('about three and a half minutes');
});

test('the next step draws from this run, wherever its data lie', () => {
  const command = 'npx proxytune generate miniature-0a1b2c3d "a photo of a {token} car at sunset" -n 4';
  expect(nextStep(plan, 'miniature-0a1b2c3d', '.proxytune')).toBe(`Your next step: ${command}`);
  expect(nextStep(plan, 'miniature-0a1b2c3d', '/tmp/my data')).toBe(
    `Your next step: ${command} --data "/tmp/my data"`,
  );
});
