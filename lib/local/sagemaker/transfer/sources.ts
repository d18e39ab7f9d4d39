/** Which objects an S3 data source means, and under which relative names. */
import { JobFailure, validationError } from '../errors.ts';
import type { S3Source } from '../state/requests.ts';
import { type Location, parseLocation, relativeName } from './location.ts';
import type { Objects } from './objects.ts';

export interface SourceObject {
  readonly location: Location;
  /** Path below the channel folder, or below the output path of a transform. */
  readonly name: string;
}

/**
 * Refuses a source that names nothing, as SageMaker does when the job is created.
 * @throws ServiceError ValidationException
 */
export async function checkSource(objects: Objects, source: S3Source, region: string): Promise<void> {
  const location = parseLocation(source.S3Uri);
  const found =
    source.S3DataType === 'ManifestFile'
      ? await objects.exists(location).catch(noBucket)
      : (await objects.list(location).catch(() => [])).length > 0;
  if (found) return;
  throw validationError(
    `No S3 objects found under S3 URL "${source.S3Uri}" given in input data source. Please ensure that the ` +
      `bucket exists in the selected region (${region}), that objects exist under that S3 prefix, and that the ` +
      `role has "s3:ListBucket" permissions on bucket "${location.bucket}".`,
  );
}

function noBucket(): boolean {
  return false;
}

/**
 * Lists what a source means now.
 * @throws JobFailure when a manifest cannot be read or breaks its format
 */
export async function sourceObjects(objects: Objects, source: S3Source): Promise<SourceObject[]> {
  const location = parseLocation(source.S3Uri);
  if (source.S3DataType === 'ManifestFile')
    return manifestObjects(await objects.read(location), source.S3Uri);
  const found = await objects.list(location);
  return found.map(({ key }) => ({
    location: { bucket: location.bucket, key },
    name: relativeName(location.key, key),
  }));
}

/** A manifest is `[{"prefix": "s3://bucket/some/"}, "rest-of-key", …]`. */
function manifestObjects(content: Buffer, uri: string): SourceObject[] {
  const [head, ...rest] = parseManifest(content, uri);
  const prefix = (head as { prefix?: unknown } | undefined)?.prefix;
  if (typeof prefix !== 'string' || prefix === '') {
    throw new JobFailure(`ClientError: Manifest ${uri} must begin with {"prefix": "s3://bucket/…"}.`);
  }
  return rest.map((suffix) => {
    if (typeof suffix !== 'string' || suffix === '') {
      throw new JobFailure(
        `ClientError: Manifest ${uri} holds ${JSON.stringify(suffix)} where a key belongs.`,
      );
    }
    return { location: parseLocation(prefix + suffix), name: suffix };
  });
}

function parseManifest(content: Buffer, uri: string): unknown[] {
  try {
    const manifest: unknown = JSON.parse(content.toString('utf8'));
    if (Array.isArray(manifest)) return manifest;
  } catch {
    // Falls through to the one message for all that is not a JSON array.
  }
  throw new JobFailure(`ClientError: Manifest ${uri} is not a JSON array.`);
}
