/** The container image: how it is built, where it lies, and when it is pushed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageRepository } from '../../lib/core/names.ts';
import { plain, removeTemporary, resourcesOf, synthesize, theOnly } from './synthesize.ts';

afterAll(removeTemporary);

const account = synthesize();
const REPOSITORY = imageRepository('Proxytune');

interface Image {
  readonly source: Readonly<Record<string, unknown>>;
  readonly destinations: Readonly<
    Record<string, { readonly repositoryName: string; readonly imageTag: string }>
  >;
}

const json = (outdir: string, file: string) => JSON.parse(readFileSync(join(outdir, file), 'utf8'));

/** The images in the asset manifest of a stack. */
function imagesOf(outdir: string, stack: string): Image[] {
  return Object.values(json(outdir, `${stack}.assets.json`).dockerImages ?? {});
}

test('Docker is asked for x86-64 and for its own manifest format, the only one that SageMaker serves', () => {
  const images = imagesOf(account.outdir, 'Proxytune');
  expect(images).toHaveLength(1);
  expect(images[0]?.source).toMatchObject({ platform: 'linux/amd64', dockerOutputs: ['type=docker'] });
});

test('nothing is built for the local cloud', () => {
  expect(imagesOf(synthesize({ target: 'local' }).outdir, 'Proxytune')).toEqual([]);
});

test('the image goes into the repository of the deployment, from where jobs pull it', () => {
  const { Properties, DeletionPolicy } = theOnly(account.data, 'AWS::ECR::Repository');
  expect(Properties).toMatchObject({
    RepositoryName: REPOSITORY,
    ImageTagMutability: 'IMMUTABLE',
    EmptyOnDelete: true,
  });
  expect(DeletionPolicy).toBe('Delete');
  const [destination] = imagesOf(account.outdir, 'Proxytune').flatMap(({ destinations }) =>
    Object.values(destinations),
  );
  expect(destination).toMatchObject({
    repositoryName: REPOSITORY,
    // The hash of what it is built from: the tag of another image is another one.
    imageTag: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const uri = plain(account.template.Outputs.ImageUri?.Value);
  expect(uri.endsWith(`/${REPOSITORY}:${destination?.imageTag}`)).toBe(true);
});

test('old images are deleted, and the ones of the last deployments kept', () => {
  const { LifecyclePolicy } = theOnly(account.data, 'AWS::ECR::Repository').Properties;
  const { rules } = JSON.parse(LifecyclePolicy.LifecyclePolicyText);
  expect(rules).toEqual([
    expect.objectContaining({
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 5 },
      action: { type: 'expire' },
    }),
  ]);
});

test('in production too the repository goes with its stack, because the next one needs its name', () => {
  const { data } = synthesize({ environment: 'production' });
  const { Properties, DeletionPolicy } = theOnly(data, 'AWS::ECR::Repository');
  expect(DeletionPolicy).toBe('Delete');
  expect(Properties.EmptyOnDelete).toBe(true);
});

/** The CDK's command line builds assets before it deploys stacks, and fails without the repository. */
test('the image is neither built nor pushed before the stack with the repository is deployed', () => {
  const { artifacts } = json(account.outdir, 'manifest.json');
  expect(artifacts['Proxytune.assets'].dependencies).toEqual(['Proxytune-Data']);
  expect(artifacts.Proxytune.dependencies).toEqual(
    expect.arrayContaining(['Proxytune-Data', 'Proxytune.assets']),
  );
  expect(artifacts['Proxytune-Data.assets'].dependencies ?? []).toEqual([]);
  expect(resourcesOf(account.template, 'AWS::ECR::Repository')).toEqual([]);
});
