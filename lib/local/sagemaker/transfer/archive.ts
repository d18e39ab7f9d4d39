/** Packs a folder's content as `model.tar.gz` or `output.tar.gz`, and unpacks them with every path checked. */
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { JobFailure } from '../errors.ts';
import { BLOCK, decodeHeader, encodeHeader, padding, paxPath } from './tar-format.ts';

/**
 * Lists all files below a folder, as relative names with "/", in order.
 * @throws JobFailure for a link or device, because a link cannot be unpacked elsewhere
 */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(noneIfMissing);
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const name = join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll(sep, '/');
    if (!entry.isFile()) {
      throw new JobFailure(
        `ClientError: Artifact upload failed: ${name} is a link or device; store regular files only.`,
      );
    }
    names.push(name);
  }
  return names.sort();
}

/** Ignores a missing folder, which the container may have deleted. */
function noneIfMissing(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/** Packs the folder's content; names in the archive are relative to the folder. */
export async function pack(folder: string, archive: string): Promise<void> {
  const names = await filesBelow(folder);
  await pipeline(Readable.from(tarBlocks(folder, names)), createGzip(), createWriteStream(archive));
}

async function* tarBlocks(folder: string, names: readonly string[]): AsyncGenerator<Buffer> {
  for (const name of names) {
    const { size } = await lstat(join(folder, name));
    yield encodeHeader({ name, size, type: '0' });
    if (size > 0) yield* createReadStream(join(folder, name), { end: size - 1 });
    yield Buffer.alloc(padding(size));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/**
 * Unpacks an archive into a folder.
 * @throws JobFailure if it is not a tar.gz, contains anything but files and folders, or a path leads out of the folder
 */
export async function unpack(archive: string, folder: string): Promise<void> {
  const source = createReadStream(archive).pipe(createGunzip());
  // A broken gzip stream causes an error in the iteration below; without this it would be thrown twice.
  source.on('error', () => {});
  const bytes = new ByteReader(source);
  try {
    await unpackEntries(bytes, folder);
  } catch (error) {
    if (error instanceof JobFailure) throw error;
    throw unpackError(`it is not a readable tar.gz (${error instanceof Error ? error.message : error})`);
  } finally {
    source.destroy();
  }
}

async function unpackEntries(bytes: ByteReader, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  let longName: string | undefined;
  for (;;) {
    const header = decodeHeader(await bytes.take(BLOCK));
    if (!header) return;
    const name = longName ?? header.name;
    longName = undefined;
    if (header.type === 'x') longName = paxPath(await bytes.take(header.size));
    else if (header.type === 'L')
      longName = (await bytes.take(header.size)).toString('utf8').replace(/\0.*$/s, '');
    else if (header.type === 'g') await bytes.take(header.size);
    else if (header.type === '5') await mkdir(checkedPath(folder, name), { recursive: true });
    else if (header.type === '0') await unpackFile(bytes, header.size, checkedPath(folder, name));
    else throw unpackError(`${name} is a link or device; only files and folders are allowed`);
    await bytes.take(padding(header.size));
  }
}

async function unpackFile(bytes: ByteReader, size: number, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'w');
  try {
    for await (const piece of bytes.pieces(size)) await handle.write(piece);
  } finally {
    await handle.close();
  }
}

function checkedPath(folder: string, name: string): string {
  const path = join(folder, name);
  if (name.startsWith('/') || (path !== folder && !`${path}/`.startsWith(`${folder}/`))) {
    throw unpackError(`the path ${name} leads out of its folder`);
  }
  return path;
}

function unpackError(why: string): JobFailure {
  return new JobFailure(`ClientError: Model data could not be unpacked: ${why}.`);
}

/** Reads an exact number of bytes from a stream. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(size)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async *pieces(size: number): AsyncGenerator<Buffer> {
    let missing = size;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new Error('the archive is truncated');
        this.#rest = next.value;
        continue;
      }
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }
}
