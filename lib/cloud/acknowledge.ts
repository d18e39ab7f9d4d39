/**
 * Acknowledges findings of cdk-nag's AwsSolutions, each next to its construct and with the reason. The tests fail on a
 * finding without an acknowledgement, and on an acknowledgement without a finding.
 */
import { Stack, Validations } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/** @param finding - the rule, or the rule with its finding, without the pack's name */
export function acknowledge(scope: IConstruct, finding: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-${finding}`, reason });
}

/** Acknowledges that a policy below the scope has resources with a `*`. @param why - what the `*` stands for */
export function acknowledgeWildcards(scope: IConstruct, resources: readonly string[], why: string): void {
  for (const resource of resources) {
    const text = flat(Stack.of(scope).resolve(resource));
    if (text.includes('*')) acknowledge(scope, `IAM5[Resource::${text}]`, why);
  }
}

/** A resource as the findings write it: `<Id>` for a reference, `<Id.Arn>` for an attribute. */
function flat(value: unknown): string {
  if (typeof value === 'string') return value;
  const node = value as { Ref?: string; 'Fn::GetAtt'?: string[]; 'Fn::Join'?: [string, unknown[]] };
  if (node.Ref !== undefined) return `<${node.Ref}>`;
  if (node['Fn::GetAtt'] !== undefined) return `<${node['Fn::GetAtt'].join('.')}>`;
  if (node['Fn::Join'] !== undefined) return node['Fn::Join'][1].map(flat).join(node['Fn::Join'][0]);
  return JSON.stringify(value);
}
