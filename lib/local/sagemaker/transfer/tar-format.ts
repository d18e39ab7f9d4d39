/** The ustar header, with pax records for longer names: the part of tar that is needed here. */

export const BLOCK = 512;

export interface TarHeader {
  readonly name: string;
  readonly size: number;
  /** '0' file, '5' folder, 'x' pax record, 'L' GNU long name; others are not unpacked. */
  readonly type: string;
}

/** The number of zero bytes that fill the last block of content of this size. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Encodes the header blocks of one entry. Owner and time are fixed, so that equal content gives equal archives. */
export function encodeHeader({ name, size, type }: TarHeader): Buffer {
  if (Buffer.byteLength(name) <= 100) return ustar(name, size, type);
  const record = paxRecord('path', name);
  const pax = ustar('PaxHeader', record.length, 'x');
  return Buffer.concat([
    pax,
    record,
    Buffer.alloc(padding(record.length)),
    ustar(name.slice(0, 20), size, type),
  ]);
}

function ustar(name: string, size: number, type: string): Buffer {
  if (size >= 8 ** 11) throw new Error(`${name} has ${size} bytes; a tar entry must be smaller than 8 GiB.`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100);
  block.write(type === '5' ? '0000755\0' : '0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** Encodes a pax record, which contains its own length: "30 path=…
" is 30 bytes. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (Buffer.byteLength(`${length}${rest}`) !== length) length = Buffer.byteLength(`${length}${rest}`);
  return Buffer.from(`${length}${rest}`);
}

/**
 * Decodes one header block; returns undefined for a block of zeros, which ends an archive.
 * @throws Error if the checksum is wrong
 */
export function decodeHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (Number.parseInt(text(block, 148, 8), 8) !== checksum(block)) throw new Error('damaged tar header');
  const prefix =
    text(block, 257, 5) === 'ustar' && text(block, 257, 8) !== 'ustar  ' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    size: decodeSize(block),
    type: text(block, 156, 1) || '0',
  };
}

/** The path in a pax record, if any. */
export function paxPath(content: Buffer): string | undefined {
  let rest = content;
  while (rest.length > 0) {
    const length = Number.parseInt(rest.toString('latin1', 0, 20), 10);
    if (!(length > 0)) return undefined;
    const record = rest.toString('utf8', 0, length - 1);
    const [, key, value] = /^\d+ ([^=]+)=(.*)$/s.exec(record) ?? [];
    if (key === 'path') return value;
    rest = rest.subarray(length);
  }
  return undefined;
}

/** Decodes a size: octal text, or from GNU tar a binary number if the top bit is set. */
function decodeSize(block: Buffer): number {
  if ((block[124] ?? 0) & 0x80) return Number(block.readBigUInt64BE(128));
  return Number.parseInt(text(block, 124, 12) || '0', 8);
}

function checksum(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : (block[at] ?? 0);
  return sum;
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end).trim();
}
