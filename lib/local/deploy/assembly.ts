/** Reads the output folder of `cdk synth` without the CDK's command line. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ProxytuneError } from '../../core/errors.ts';

const manifestSchema = z.object({
  artifacts: z.record(
    z.string(),
    z.object({
      type: z.string(),
      dependencies: z.array(z.string()).default([]),
      properties: z
        .object({ templateFile: z.string(), stackName: z.string(), file: z.string() })
        .partial()
        .optional(),
    }),
  ),
});

const fileAssetSchema = z.object({
  source: z.object({
    path: z.string().optional(),
    packaging: z.enum(['file', 'zip']).optional(),
    executable: z.array(z.string()).optional(),
  }),
  destinations: z.record(z.string(), z.object({ bucketName: z.string(), objectKey: z.string() })),
});

const assetsSchema = z.object({ files: z.record(z.string(), fileAssetSchema).default({}) });

export type Template = Readonly<Record<string, unknown>>;

/** One file or folder to upload. */
export interface FileAsset {
  readonly path: string;
  readonly zipped: boolean;
  readonly bucket: string;
  readonly key: string;
}

export interface StackAssembly {
  readonly stackName: string;
  readonly template: Template;
  /** Includes the template, which CloudFormation reads from the bucket. */
  readonly assets: readonly FileAsset[];
  /** The asset that is the template. */
  readonly templateAsset: FileAsset;
}

export interface AwsEnvironment {
  readonly account: string;
  readonly region: string;
}

type Artifacts = z.infer<typeof manifestSchema>['artifacts'];

/**
 * Reads a stack of a cloud assembly and the stacks it depends on, with the placeholders for account and region filled
 * in. Docker image assets are ignored: no image is built locally, and its URI is used as it is.
 *
 * @returns the stacks in the order in which they are to be deployed; the named one is the last
 * @throws ProxytuneError `LocalCloudFailed` if the folder is not an assembly or does not have the stack.
 */
export function readAssembly(
  folder: string,
  stackName: string,
  environment: AwsEnvironment,
): readonly StackAssembly[] {
  const { artifacts } = manifestSchema.parse(readJson(folder, 'manifest.json'));
  const stacks = Object.keys(artifacts).filter((id) => isStack(artifacts, id));
  const id = stacks.find((candidate) => nameOf(artifacts, candidate) === stackName);
  if (id === undefined) {
    throw new ProxytuneError('LocalCloudFailed', {
      what: `The assembly in ${folder} has no stack of this name`,
      given: stackName,
      allowed: stacks.map((stack) => nameOf(artifacts, stack)).join(', ') || 'nothing: it has no stacks',
      remedy: 'choose one of these, or synthesize again',
    });
  }
  return inOrder(artifacts, id).map((stack) => readStack(folder, artifacts, stack, environment));
}

/** The stack and all that it depends on, each after its own dependencies. The CDK rejects circular ones. */
function inOrder(artifacts: Artifacts, id: string): string[] {
  const before = (artifacts[id]?.dependencies ?? []).filter((other) => isStack(artifacts, other));
  return [...new Set([...before.flatMap((other) => inOrder(artifacts, other)), id])];
}

function readStack(
  folder: string,
  artifacts: Artifacts,
  id: string,
  environment: AwsEnvironment,
): StackAssembly {
  const stackName = nameOf(artifacts, id);
  const templateFile = artifacts[id]?.properties?.templateFile ?? '';
  const assets = (artifacts[id]?.dependencies ?? [])
    .filter((other) => artifacts[other]?.type === 'cdk:asset-manifest')
    .flatMap((other) => readAssets(folder, artifacts[other]?.properties?.file ?? '', environment));
  const templatePath = join(folder, templateFile);
  const templateAsset = assets.find((asset) => asset.path === templatePath);
  if (templateAsset === undefined) {
    throw new ProxytuneError('LocalCloudFailed', {
      what: `The stack ${stackName} does not list its template among its assets`,
      given: templateFile,
      remedy: "synthesize it with the CDK's default synthesizer",
    });
  }
  return { stackName, template: readJson(folder, templateFile) as Template, assets, templateAsset };
}

function isStack(artifacts: Artifacts, id: string): boolean {
  return artifacts[id]?.type === 'aws:cloudformation:stack';
}

function nameOf(artifacts: Artifacts, id: string): string {
  return artifacts[id]?.properties?.stackName ?? id;
}

function readAssets(folder: string, file: string, environment: AwsEnvironment): FileAsset[] {
  const { files } = assetsSchema.parse(readJson(folder, file));
  return Object.entries(files).flatMap(([id, asset]) =>
    Object.values(asset.destinations).map((destination) => {
      if (asset.source.path === undefined) {
        throw new ProxytuneError('LocalCloudFailed', {
          what: `The asset ${id} is built by a command, which the local deployment does not support`,
          given: asset.source.executable?.join(' ') ?? 'no path',
          remedy: 'use a file or a folder as the asset',
        });
      }
      return {
        path: join(folder, asset.source.path),
        zipped: asset.source.packaging === 'zip',
        bucket: fill(destination.bucketName, environment),
        key: fill(destination.objectKey, environment),
      };
    }),
  );
}

function fill(text: string, environment: AwsEnvironment): string {
  const values: Record<string, string> = {
    AccountId: environment.account,
    Region: environment.region,
    Partition: 'aws',
  };
  return text.replace(/\$\{AWS::(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

function readJson(folder: string, file: string): unknown {
  const path = join(folder, file);
  if (!existsSync(path)) {
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'A file of the cloud assembly is missing',
      given: path,
      remedy: 'run `npx cdk synth` first',
    });
  }
  return JSON.parse(readFileSync(path, 'utf8'));
}
