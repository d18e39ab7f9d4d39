/** A shard of pictures, read back: every PNG with the record that was written with it. */
import { createHash } from 'node:crypto';
import { type PictureRecord, pictureRecord } from '../../core/contract/pictures.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { BLOCK, decodeHeader, padding } from '../../local/sagemaker/transfer/tar-format.ts';

export interface Picture {
  readonly record: PictureRecord;
  readonly png: Buffer;
}

/** @throws ShardInvalid when the shard is incomplete, or an image does not match its record */
export function readShard(content: Uint8Array, name: string): Picture[] {
  try {
    const files = filesOf(Buffer.from(content));
    const pngs = [...files].filter(([file]) => file.endsWith('.png'));
    if (pngs.length === 0) throw new Error('it holds no picture');
    return pngs.map(([file, png]) => {
      const text = files.get(file.replace(/\.png$/, '.json'));
      if (text === undefined) throw new Error(`${file} has no record`);
      const { data: record, error } = pictureRecord.safeParse(JSON.parse(text.toString('utf8')));
      const wrong = error?.issues[0];
      if (wrong !== undefined)
        throw new Error(`the record of ${file}: ${wrong.path.join('.')}: ${wrong.message}`);
      const digest = createHash('sha256').update(png).digest('hex');
      if (digest !== record?.sha256) throw new Error(`${file} is not the picture its record was written for`);
      return { record, png };
    });
  } catch (cause) {
    throw new ProxytuneError('ShardInvalid', {
      what: 'A shard of pictures cannot be read',
      given: `${name}: ${(cause as Error).message}`,
      allowed: 'a tar of pairs <index>.png and <index>.json as the container writes it',
      remedy: 'delete this object in the bucket and retry, which generates its images again',
      cause,
    });
  }
}

/** The files of an archive that is small enough to lie in memory. */
function filesOf(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; ; ) {
    if (at + BLOCK > archive.length) throw new Error('the archive ends too early');
    const header = decodeHeader(archive.subarray(at, at + BLOCK));
    if (header === undefined) return files;
    const content = archive.subarray(at + BLOCK, at + BLOCK + header.size);
    if (content.length < header.size) throw new Error('the archive ends too early');
    if (header.type === '0') files.set(header.name, content);
    at += BLOCK + header.size + padding(header.size);
  }
}
