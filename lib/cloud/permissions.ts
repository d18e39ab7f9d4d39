/** The one way in which owners of resources grant permissions. */

import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledgeWildcards } from './acknowledge.ts';

export interface Permission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** @default - without conditions */
  readonly conditions?: Readonly<Record<string, Record<string, unknown>>>;
  /** The meaning of each `*` in the resources. @default - no resource has one */
  readonly wildcards?: string;
}

/** Allows a role something. Only an owner of the resources calls this; it knows the narrowest form. */
export function allow(grantee: IGrantable, { actions, resources, conditions, wildcards }: Permission): void {
  Grant.addToPrincipal({
    grantee,
    actions: [...actions],
    resourceArns: [...resources],
    ...(conditions === undefined ? {} : { conditions: { ...conditions } }),
  }).assertSuccess();
  if (wildcards !== undefined) acknowledgeWildcards(roleOf(grantee), resources, wildcards);
}

function roleOf({ grantPrincipal }: IGrantable): Construct {
  if (Construct.isConstruct(grantPrincipal)) return grantPrincipal;
  throw new Error('permissions are granted to roles of the app only');
}
