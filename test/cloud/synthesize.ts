/** Synthesizes the stack in this process, for the tests of this folder. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib/core';
import { bundleLambdas, type LambdaBundles } from '../../lib/cloud/bundle-lambdas.ts';
import { readSettings } from '../../lib/cloud/settings.ts';
import { addStacks, type Stacks } from '../../lib/cloud/stacks.ts';

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a template's properties have as many shapes as CloudFormation has types
  readonly Properties: any;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface Synthesis {
  /** The template of the stack that computes, with references to the other stack resolved. */
  readonly template: Template;
  /** The template of the stack of data. */
  readonly data: Template;
  readonly stacks: Stacks;
  /** The output folder; removed after the tests of the file. */
  readonly outdir: string;
}

const made: string[] = [];
const bundles = new Map<string, LambdaBundles>();

/** Bundles the lambdas once per test file and target. */
export function bundlesFor(target: 'account' | 'local'): LambdaBundles {
  const bundle = bundles.get(target) ?? bundleLambdas({ target });
  bundles.set(target, bundle);
  return bundle;
}

export const cdkJson = () => JSON.parse(readFileSync('cdk.json', 'utf8'));

/**
 * @param settings - as after `-c`, without the namespace
 * @param prepare - called with app and stacks before synthesis
 */
export function synthesize(
  settings: Record<string, string> = {},
  prepare: (app: App, stacks: Stacks) => void = () => {},
): Synthesis {
  const outdir = temporary('proxytune-synth-');
  const app = new App({
    // Do not copy lambdas and image for each of these templates.
    context: { ...cdkJson().context, 'aws:cdk:disable-asset-staging': true, proxytune: settings },
    outdir,
    // Slow; the test of the entry point has it on.
    builtinCloudFormationValidation: false,
  });
  const read = readSettings(app.node.getAllContext());
  const { folders } = bundlesFor(read.target);
  const stacks = addStacks(app, { settings: read, folders, root: rootWithImage(), version: '9.9.9' });
  prepare(app, stacks);
  app.synth();
  const templateOf = (stack: string): Template =>
    JSON.parse(readFileSync(join(outdir, `${stack}.template.json`), 'utf8'));
  const data = templateOf(`${read.name}-Data`);
  return { template: resolveOutputs(templateOf(read.name), data), data, stacks, outdir };
}

/** Replaces each reference to an output of the data stack by what that output refers to. */
function resolveOutputs(template: Template, data: Template): Template {
  return JSON.parse(JSON.stringify(template), (_key, value) =>
    value?.['Fn::GetStackOutput'] === undefined
      ? value
      : data.Outputs[value['Fn::GetStackOutput'].OutputName]?.Value,
  );
}

export function temporary(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  made.push(folder);
  return folder;
}

/** Removes the temporary folders; call it after all tests of a file. */
export function removeTemporary(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/**
 * Makes a root with a small Dockerfile in place of the real one, which only the asset's name depends on: hashing it
 * is fast.
 */
function rootWithImage(): string {
  const root = temporary('proxytune-root-');
  mkdirSync(join(root, 'containers'));
  writeFileSync(join(root, 'containers', 'Dockerfile'), 'FROM scratch\n');
  return root;
}

/** Both templates as one; no logical id is in both. */
export function resourcesOfBoth({ template, data }: Synthesis): Template {
  const { Resources, Outputs } = template;
  return { Outputs, Resources: { ...data.Resources, ...Resources } };
}

export function resourcesOf(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
}

/** The only resource of a type. */
export function theOnly(template: Template, type: string): Resource {
  const matches = resourcesOf(template, type);
  if (matches.length !== 1 || matches[0] === undefined)
    throw new Error(`expected one ${type}, got ${matches.length}`);
  return matches[0][1];
}

/** A value of a template as text, references written `<LogicalId>` or `<LogicalId.Attribute>`. */
export function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  const node = value as {
    Ref?: string;
    'Fn::GetAtt'?: string[];
    'Fn::Join'?: [string, unknown[]];
    'Fn::Sub'?: string;
  };
  if (node.Ref !== undefined) return `<${node.Ref}>`;
  if (node['Fn::GetAtt'] !== undefined) return `<${node['Fn::GetAtt'].join('.')}>`;
  if (node['Fn::Join'] !== undefined) return node['Fn::Join'][1].map(plain).join(node['Fn::Join'][0]);
  if (node['Fn::Sub'] !== undefined) return node['Fn::Sub'];
  throw new Error(`not text: ${JSON.stringify(value)}`);
}

/** The state machine's definition, with references replaced by ARNs. */
export function definitionOf(template: Template) {
  const { DefinitionString } = theOnly(template, 'AWS::StepFunctions::StateMachine').Properties;
  const text = plain(DefinitionString)
    .replaceAll('<AWS::Partition>', 'aws')
    .replace(/<(\w+)\.Arn>/g, 'arn:aws:lambda:us-east-1:123456789012:function:$1')
    .replace(/<(\w+)CurrentVersion\w+>/g, 'arn:aws:lambda:us-east-1:123456789012:function:$1:1');
  return JSON.parse(text);
}
