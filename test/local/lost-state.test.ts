import { describeLoss } from '../../lib/local/lost-state.ts';

test('nothing is said where nothing was lost', () => {
  expect(describeLoss([])).toBeUndefined();
});

test('what was created again is named, and what was in it', () => {
  const lost = describeLoss([
    { id: 'Ledger', type: 'AWS::DynamoDB::Table' },
    { id: 'PlanRun', type: 'AWS::Lambda::Function' },
    { id: 'EndRun', type: 'AWS::Lambda::Function' },
    { id: 'Dead', type: 'AWS::SQS::Queue' },
  ]);
  expect(lost).toContain('(1 AWS::DynamoDB::Table, 2 AWS::Lambda::Function, 1 AWS::SQS::Queue)');
  expect(lost).toContain('the records of earlier runs');
  expect(lost).toContain('events that could not be delivered');
});

test('functions and rules have no data', () => {
  expect(describeLoss([{ id: 'PlanRun', type: 'AWS::Lambda::Function' }])).toMatch(
    /Lost with it: no data\.$/,
  );
});
