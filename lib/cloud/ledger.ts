/** The table that remembers runs and jobs; `lib/core/jobs/records.ts` says what an item holds. */

import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface LedgerProps {
  /** Keep the table when the stack is deleted. @default - it goes with the stack; reports stay in the bucket */
  readonly retain?: boolean;
}

export class Ledger extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, { retain = false }: LedgerProps = {}) {
    super(scope, id);
    this.table = new Table(this, 'Resource', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      // A few writes a run: paid by the request, and nothing while nothing runs.
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }
}
