/** The folder used as a container's file system, and the config files that SageMaker writes into it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Channel, TrainingRequest } from '../state/requests.ts';

/** Replaces the folder by one with the standard folders of a container. */
export async function createRoot(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
  for (const folder of [
    'opt/ml/input/config',
    'opt/ml/input/data',
    'opt/ml/model',
    'opt/ml/output/data',
    'tmp',
    'home',
  ]) {
    await mkdir(join(root, folder), { recursive: true });
  }
}

/** Converts a path in the container, e.g. `/opt/ml/checkpoints`, to one on this machine. */
export function hostPath(root: string, containerPath: string): string {
  return join(root, containerPath);
}

/** The checkpoint folder: `/opt/ml/checkpoints` by default. */
export function checkpointFolder(root: string, request: TrainingRequest): string {
  return hostPath(root, (request.CheckpointConfig?.LocalPath ?? '/opt/ml/checkpoints').replace(/\/+$/, ''));
}

/** The name of an instance of a job, counted from 0. */
export function hostName(index: number): string {
  return `algo-${index + 1}`;
}

/** Writes hyperparameters.json and the other config files, for one of the job's instances. */
export async function writeTrainingConfig(
  root: string,
  request: TrainingRequest,
  { host, hosts }: { readonly host: string; readonly hosts: readonly string[] },
): Promise<void> {
  const put = (name: string, content: unknown) =>
    writeFile(join(root, 'opt/ml/input/config', `${name}.json`), JSON.stringify(content, null, 1));
  const instanceType =
    request.ResourceConfig.InstanceType ?? request.ResourceConfig.InstancePreferences?.[0]?.InstanceType;
  await put('hyperparameters', request.HyperParameters ?? {});
  await put('inputdataconfig', inputDataConfig(request));
  await put('resourceconfig', {
    current_host: host,
    current_instance_type: instanceType,
    current_group_name: 'homogeneousCluster',
    hosts,
    instance_groups: [{ instance_group_name: 'homogeneousCluster', instance_type: instanceType, hosts }],
    network_interface_name: 'lo',
  });
  // The path on this machine, so that a container that reads the file finds the folder.
  if (request.CheckpointConfig) await put('checkpointconfig', { LocalPath: checkpointFolder(root, request) });
}

function inputDataConfig(request: TrainingRequest): Record<string, unknown> {
  return Object.fromEntries(
    (request.InputDataConfig ?? []).map((channel) => [
      channel.ChannelName,
      {
        TrainingInputMode: inputMode(channel, request),
        S3DistributionType: channel.DataSource.S3DataSource?.S3DataDistributionType ?? 'FullyReplicated',
        RecordWrapperType: 'None',
        ...(channel.ContentType && { ContentType: channel.ContentType }),
      },
    ]),
  );
}

function inputMode(channel: Channel, request: TrainingRequest): string {
  return channel.InputMode ?? request.AlgorithmSpecification.TrainingInputMode;
}

/** Reads the first 1024 characters of the container's /opt/ml/output/failure; empty if it wrote none. */
export async function failureMessage(root: string): Promise<string> {
  const content = await readFile(join(root, 'opt/ml/output/failure'), 'utf8').catch(() => '');
  return content.slice(0, 1024).trim();
}
