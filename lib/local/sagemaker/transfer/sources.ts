/** Resolves an S3 data source to objects and their relative names. */
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
 * Rejects a source without objects, as SageMaker does when the job is created.
 * @throws ServiceError ValidationException
 */
export async function checkSource(objects: Objects, source: S3Source, region: string): Promise<void> {
  const location = parseLocation(source.S3Uri);
  const matching =
    source.S3DataType === 'ManifestFile'
      ? await objects.exists(location).catch(noBucket)
      : (await objects.list(location).catch(() => [])).length > 0;
  if (matching) return;
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
 * Lists the objects of a source.
 * @throws JobFailure if a manifest is invalid
 */
export async function sourceObjects(objects: Objects, source: S3Source): Promise<SourceObject[]> {
  const location = parseLocation(source.S3Uri);
  if (source.S3DataType === 'ManifestFile')
    return manifestObjects(await objects.read(location), source.S3Uri);
  const matching = await objects.list(location);
  return matching.map(({ key }) => ({
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
        `ClientError: Manifest ${uri} contains ${JSON.stringify(suffix)} instead of a key.`,
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
    // Falls through to the message for everything that is not a JSON array.
  }
  throw new JobFailure(`ClientError: Manifest ${uri} is not a JSON array.`);
}
