import { createHash } from 'node:crypto';
import { sha256Hex } from '../../lib/core/names.ts';

// The examples of FIPS 180-4 (NIST, "Examples with Intermediate Values"), and of the empty message.
test.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
])('SHA-256 of a known message, %#', (message, hex) => {
  expect(sha256Hex(message)).toBe(hex);
});

test('text is hashed as UTF-8, as Node does it', () => {
  const text = 'été 🐶 \u0000 subjects/Straße/subject.json';
  expect(sha256Hex(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
});

test('fewer digits are the first ones', () => {
  expect(sha256Hex('abc', 8)).toBe('ba7816bf');
});
