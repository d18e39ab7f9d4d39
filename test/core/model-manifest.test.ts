import { model } from '../../lib/core/catalogue/models.ts';
import { digestOf, type ModelFile, makeManifest, type Origin } from '../../lib/core/models/manifest.ts';

describe('a model’s files in sixteen digits', () => {
  const file = (path: string, digit: string): ModelFile => ({
    path,
    size: 3,
    sha256: digit.repeat(64),
    etag: null,
    modified: null,
  });
  const files = [file('unet/a.safetensors', '1'), file('vae/b.safetensors', '2')];
  const brought = (of: readonly ModelFile[], origin: Partial<Origin> = {}) =>
    digestOf(makeManifest(model('sdxl'), { source: 'hub', importedAt: new Date(0), ...origin }, of));

  test('are the same however the same files were imported', () => {
    expect(brought(files)).toMatch(/^[0-9a-f]{16}$/);
    const linked = [...files].reverse().map((entry) => ({ ...entry, modified: 7 }));
    expect(brought(linked, { source: '/disk', linked: '/disk', importedAt: new Date(9) })).toBe(
      brought(files),
    );
  });

  test('are the first of the SHA-256 of all hashes and names', () => {
    // printf '%s unet/a.safetensors\n%s vae/b.safetensors\n' 111… 222… | sha256sum
    expect(brought(files)).toBe('e2c5c62c38543e01');
  });

  test('differ where 32 bits of a hash that only spreads would be the same', () => {
    // Both are 88baca42 by FNV-1a with an avalanche.
    const [one, two] = [737_786, 1_076_240].map((number) => [
      { ...file('unet/a.safetensors', '0'), sha256: String(number).padStart(64, '0') },
    ]);
    expect(brought(one ?? [])).not.toBe(brought(two ?? []));
  });

  test.each([
    ['content', [file('unet/a.safetensors', '3'), file('vae/b.safetensors', '2')]],
    ['name', [file('unet/c.safetensors', '1'), file('vae/b.safetensors', '2')]],
    ['number', files.slice(0, 1)],
    ['place of the same contents', [file('unet/a.safetensors', '2'), file('vae/b.safetensors', '1')]],
  ])('differ with a file’s %s', (_of, other) => {
    expect(brought(other)).not.toBe(brought(files));
  });
});
