/**
 * cdk-nag's AwsSolutions: every finding is acknowledged with a reason, and every acknowledgement still has a finding.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';
import { removeTemporary, synthesize, temporary } from './synthesize.ts';

interface Violation {
  readonly ruleName: string;
  readonly violatingConstructs: readonly { readonly constructPath: string }[];
}

interface Report {
  readonly pluginReports: { readonly violations: readonly Violation[] }[];
}

interface Acknowledgement {
  /** The path of the construct. */
  readonly at: string;
  readonly rule: string;
  readonly reason: string;
}

afterAll(removeTemporary);

/** Settings that together have every construct of the app. */
const SETTINGS = [
  {},
  { removeData: 'true' },
  {
    bucketName: 'left-behind',
    tableName: 'Runs-of-before',
    jobLogRetentionDays: '30',
    environment: 'production',
  },
];

/** `construct path: rule` of each finding that is reported. */
function findings(settings: Record<string, string>): string[] {
  let outdir = temporary('unused-');
  let failure: unknown;
  try {
    synthesize({ target: 'account', ...settings }, (app: App) => {
      outdir = app.outdir;
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    });
  } catch (error) {
    failure = error;
  }
  const path = join(outdir, 'validation-report.json');
  if (!existsSync(path)) throw failure ?? new Error('the checks wrote no report');
  const { pluginReports }: Report = JSON.parse(readFileSync(path, 'utf8'));
  return pluginReports.flatMap(({ violations }) => violations.flatMap(lines));
}

function lines({ ruleName, violatingConstructs }: Violation): string[] {
  return violatingConstructs.map(({ constructPath }) => `${constructPath}: ${ruleName}`);
}

/** The findings as if nothing were acknowledged, and what the constructs acknowledge. */
function unacknowledged(settings: Record<string, string>) {
  const acknowledged: Acknowledgement[] = [];
  const { acknowledge, of } = { acknowledge: Validations.prototype.acknowledge, of: Validations.of };
  let scope: IConstruct;
  Validations.of = (construct) => {
    scope = construct;
    return of.call(Validations, construct);
  };
  Validations.prototype.acknowledge = (...rules) => {
    for (const { id, reason } of rules) acknowledged.push({ at: scope.node.path, rule: id, reason });
  };
  try {
    return { reported: findings(settings), acknowledged };
  } finally {
    Object.assign(Validations, { of });
    Validations.prototype.acknowledge = acknowledge;
  }
}

describe.each(SETTINGS)('with the settings %j', (settings) => {
  const { reported, acknowledged } = unacknowledged(settings);

  test('every finding is acknowledged', () => {
    expect(findings(settings)).toEqual([]);
  });

  test('every acknowledgement matches a finding below its construct', () => {
    expect(reported.length).toBeGreaterThan(30);
    expect(acknowledged.length).toBeGreaterThan(30);
    const stale = acknowledged.filter(
      ({ at, rule }) => !reported.some((line) => line.startsWith(`${at}/`) && line.endsWith(`: ${rule}`)),
    );
    expect(stale).toEqual([]);
  });

  test('every acknowledgement has a reason worth reading', () => {
    for (const { reason } of acknowledged) expect(reason.length).toBeGreaterThan(40);
  });
});
