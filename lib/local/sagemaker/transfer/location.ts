/** S3 URIs, and the file names of objects. */
import { join, sep } from 'node:path';
import { JobFailure, validationError } from '../errors.ts';

export interface Location {
  readonly bucket: string;
  /** Key or key prefix; may be empty. */
  readonly key: string;
}

/**
 * Parses `s3://bucket/key`.
 * @throws ServiceError ValidationException for anything else, including the https form, which needs a region's host
 */
export function parseLocation(uri: string): Location {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri);
  if (!match?.[1]) throw validationError(`${uri} is not an S3 URI: it must look like s3://bucket/key.`);
  return { bucket: match[1], key: match[2] ?? '' };
}

export function formatLocation({ bucket, key }: Location): string {
  return `s3://${bucket}/${key}`;
}

/** The location of `name` below a location that is used as a folder, with or without a "/" at its end. */
export function inside(folder: Location, name: string): Location {
  const base = folder.key === '' || folder.key.endsWith('/') ? folder.key : `${folder.key}/`;
  return { bucket: folder.bucket, key: base + name };
}

/**
 * The name of an object under an S3Prefix, relative to the channel or output folder. A prefix is a string, so
 * siblings match it too (`photos` matches `photos_old/a.png`): these keep everything after the prefix's last "/".
 * Objects in the prefix's own folder lose the folder.
 */
export function relativeName(prefix: string, key: string): string {
  if (key.startsWith(`${prefix}/`)) return key.slice(prefix.length + 1);
  return key.slice(prefix.lastIndexOf('/') + 1);
}

/**
 * Resolves a relative name below a folder.
 * @throws JobFailure if the name leads out of the folder
 */
export function fileBelow(folder: string, name: string): string {
  const file = join(folder, name);
  if (!file.startsWith(folder + sep)) {
    throw new JobFailure(`ClientError: Data download failed: object name ${name} leads out of its folder.`);
  }
  return file;
}
