/** The message about a data folder that had lost some of its state, after the stack was completed again. */
import type { Recreated } from './deploy/stack.ts';

/** By resource type, what was in it and cannot be created again. */
const CONTENTS: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::Table': 'the records of earlier runs (their files are still in the bucket)',
  'AWS::S3::Bucket': 'what the bucket had and is no longer on the disk, and older versions of its objects',
  'AWS::SQS::Queue': 'events that could not be delivered',
  'AWS::SNS::Topic': 'who was subscribed to notifications',
  'AWS::StepFunctions::StateMachine': 'the history of earlier executions',
};

/** One line for people; undefined if nothing had been lost. */
export function describeLoss(recreated: readonly Recreated[]): string | undefined {
  if (recreated.length === 0) return undefined;
  const kinds = [...new Set(recreated.map(({ type }) => type))];
  const contents = kinds.flatMap((type) => CONTENTS[type] ?? []);
  const count = (kind: string) => recreated.filter(({ type }) => type === kind).length;
  const created = kinds.map((type) => `${count(type)} ${type}`).join(', ');
  const lost = contents.length === 0 ? 'no data' : contents.join('; ');
  return `The data folder had lost a part of its state, which was created again (${created}). Lost with it: ${lost}.`;
}
