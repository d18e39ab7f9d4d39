/**
 * cdk-nag's AwsSolutions: every finding is acknowledged with a reason, and every acknowledgement still has a finding.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledgeFindings, acknowledgements } from '../../lib/cloud/nag-acknowledgements.ts';
import type { Stacks } from '../../lib/cloud/stacks.ts';
import { removeTemporary, synthesize, temporary } from './synthesize.ts';

interface Report {
  readonly pluginReports: {
    readonly violations: {
      readonly ruleName: string;
      readonly violatingConstructs: { readonly constructPath: string }[];
    }[];
  }[];
}

afterAll(removeTemporary);

/** `construct path: rule` of each finding in the report. */
function findings(prepare: (stacks: Stacks) => void): string[] {
  let outdir = temporary('unused-');
  let failure: unknown;
  try {
    synthesize({ target: 'account' }, (app: App, stacks: Stacks) => {
      outdir = app.outdir;
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
      prepare(stacks);
    });
  } catch (error) {
    failure = error;
  }
  const path = join(outdir, 'validation-report.json');
  if (!existsSync(path)) throw failure ?? new Error('the checks wrote no report');
  const report: Report = JSON.parse(readFileSync(path, 'utf8'));
  return report.pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => `${constructPath}: ${ruleName}`),
    ),
  );
}

test('acknowledges every finding', () => {
  expect(findings(acknowledgeFindings)).toEqual([]);
});

test('every acknowledgement matches a finding', () => {
  let known: ReturnType<typeof acknowledgements> = [];
  const reported = findings((stacks) => {
    known = acknowledgements(stacks);
  });
  expect(reported.length).toBeGreaterThan(30);
  const stale = known.filter(
    ({ at, finding }) =>
      !reported.some((line) => line.includes(`/${at}/`) && line.endsWith(`: AwsSolutions-${finding}`)),
  );
  expect(stale).toEqual([]);
});

test('every acknowledgement has a reason worth reading', () => {
  synthesize({ target: 'local' }, (_app, stacks) => {
    for (const { reason } of acknowledgements(stacks)) expect(reason.length).toBeGreaterThan(40);
  });
});
