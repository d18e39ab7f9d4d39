/** The container image: how it is built, and where it lies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTemporary, synthesize } from './synthesize.ts';

afterAll(removeTemporary);

/** The images in the asset manifest of a stack. */
function imagesOf(outdir: string, stack: string) {
  const { dockerImages = {} } = JSON.parse(readFileSync(join(outdir, `${stack}.assets.json`), 'utf8'));
  return Object.values(dockerImages) as { readonly source: Record<string, unknown> }[];
}

test('Docker is asked for x86-64 and for its own manifest format, the only one that SageMaker serves', () => {
  const images = imagesOf(synthesize().outdir, 'Proxytune');
  expect(images).toHaveLength(1);
  expect(images[0]?.source).toMatchObject({ platform: 'linux/amd64', dockerOutputs: ['type=docker'] });
});

test('nothing is built for the local cloud', () => {
  expect(imagesOf(synthesize({ target: 'local' }).outdir, 'Proxytune')).toEqual([]);
});
