/**
 * Adds a colour profile to raw pixels. sharp converts from the profile of a file, which raw pixels lack, so they are
 * wrapped in a PNG with the profile in an iCCP chunk. (Phones write HEIC in Display P3.)
 */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE_AND_IHDR = 8 + 25;

/** Inserts `icc` as the profile of a PNG. */
export function withProfile(png: Buffer, icc: Uint8Array): Buffer {
  // Name, end of name, method 0 (deflate), then the profile.
  const body = Buffer.concat([Buffer.from('iCCPicc\0\0', 'latin1'), deflateSync(icc)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([
    png.subarray(0, SIGNATURE_AND_IHDR),
    length,
    body,
    check,
    png.subarray(SIGNATURE_AND_IHDR),
  ]);
}
