/** The table of runs and their jobs; `lib/core/jobs/records.ts` defines its items. */

import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface RunTableProps {
  /** Keep the table when the stack is deleted. @default - delete it with the stack; reports stay in the bucket */
  readonly retain?: boolean;
  /** The name of an existing table, which is used instead of a new one. @default - a new table */
  readonly adopt?: string | undefined;
}

export class RunTable extends Construct {
  readonly tableName: string;

  constructor(scope: Construct, id: string, { retain = false, adopt }: RunTableProps = {}) {
    super(scope, id);
    this.tableName = adopt ?? this.#create(retain).tableName;
  }

  #create(retain: boolean): Table {
    return new Table(this, 'Resource', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      // A few writes per run: billed per request, and free while nothing runs.
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }
}
