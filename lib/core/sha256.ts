/** SHA-256 of texts: what decides whether two things are the same one, such as an upload, a request or a model's files. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/**
 * SHA-256 over UTF-8.
 *
 * @param digits - the first hexadecimal digits that are returned. @default - all 64
 */
export function sha256Hex(text: string, digits = 64): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, digits);
}
