/** Downloads and uploads of a training job. */
import { join } from 'node:path';
import { JobFailure } from '../errors.ts';
import type { TrainingRequest } from '../state/requests.ts';
import { filesBelow, pack } from '../transfer/archive.ts';
import { linkFiles } from '../transfer/linked.ts';
import { fileBelow, formatLocation, inside, type Location, parseLocation } from '../transfer/location.ts';
import type { Objects } from '../transfer/objects.ts';
import { sourceObjects } from '../transfer/sources.ts';

/**
 * Downloads the channels to /opt/ml/input/data. FastFile, a read-only mount on AWS, is a copy here, which makes no
 * difference to a container.
 * @throws JobFailure `ClientError: Data download failed:…`
 */
export async function downloadChannels(
  objects: Objects,
  request: TrainingRequest,
  root: string,
): Promise<void> {
  for (const channel of request.InputDataConfig ?? []) {
    const source = channel.DataSource.S3DataSource;
    if (!source) continue;
    const folder = join(root, 'opt/ml/input/data', channel.ChannelName);
    try {
      for (const { location, name } of await sourceObjects(objects, source)) {
        await objects.download(location, fileBelow(folder, name));
      }
      await linkFiles(folder);
    } catch (error) {
      if (error instanceof JobFailure) throw error;
      throw new JobFailure(`ClientError: Data download failed:${error} (channel ${channel.ChannelName})`);
    }
  }
}

/**
 * Uploads /opt/ml/model and, unless it is empty, /opt/ml/output/data to `<S3OutputPath>/<job>/output/`.
 * @returns the URI of model.tar.gz, or of the prefix if the model is uncompressed
 * @throws JobFailure `ClientError: Artifact upload failed:…`
 */
export async function uploadArtifacts(
  objects: Objects,
  request: TrainingRequest,
  root: string,
): Promise<string> {
  const output = inside(
    parseLocation(request.OutputDataConfig.S3OutputPath),
    `${request.TrainingJobName}/output`,
  );
  const model = join(root, 'opt/ml/model');
  const data = join(root, 'opt/ml/output/data');
  const hasData = (await filesBelow(data)).length > 0;
  try {
    if (request.OutputDataConfig.CompressionType === 'NONE') {
      await uploadFolder(objects, model, inside(output, 'model'));
      if (hasData) await uploadFolder(objects, data, inside(output, 'data'));
      return formatLocation(inside(output, 'model/'));
    }
    if (hasData) await uploadPacked(objects, data, inside(output, 'output.tar.gz'), root);
    return await uploadPacked(objects, model, inside(output, 'model.tar.gz'), root);
  } catch (error) {
    if (error instanceof JobFailure) throw error;
    throw new JobFailure(`ClientError: Artifact upload failed:${error}`);
  }
}

async function uploadFolder(objects: Objects, folder: string, target: Location): Promise<void> {
  for (const name of await filesBelow(folder)) await objects.upload(join(folder, name), inside(target, name));
}

async function uploadPacked(
  objects: Objects,
  folder: string,
  target: Location,
  root: string,
): Promise<string> {
  const archive = join(root, 'tmp', 'artifact.tar.gz');
  await pack(folder, archive);
  await objects.upload(archive, target);
  return formatLocation(target);
}
