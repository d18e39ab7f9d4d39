import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAssembly } from '../../../lib/local/deploy/assembly.ts';
import { temporaryFolder } from '../emulator/helpers.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const environment = { account: '000000000000', region: 'eu-west-1' };

const template = { Resources: {} };
const bucketName = 'assets-$' + '{AWS::AccountId}-$' + '{AWS::Region}';
const files = {
  t: {
    source: { path: 'S.template.json', packaging: 'file' },
    destinations: { x: { bucketName, objectKey: 't.json' } },
  },
  f: {
    source: { path: 'asset.f', packaging: 'zip' },
    destinations: { x: { bucketName, objectKey: 'f.zip' } },
  },
};
/** A stack with nothing but its template, and the stacks that it depends on. */
function stackOf(id: string, dependencies: string[]) {
  return {
    [id]: {
      type: 'aws:cloudformation:stack',
      dependencies: [`${id}.assets`, ...dependencies],
      properties: { templateFile: `${id}.template.json` },
    },
    [`${id}.assets`]: { type: 'cdk:asset-manifest', properties: { file: `${id}.assets.json` } },
  };
}

const manifest = {
  artifacts: {
    Tree: { type: 'cdk:tree', properties: { file: 'tree.json' } },
    S: {
      type: 'aws:cloudformation:stack',
      dependencies: ['Base', 'S.assets', 'Data'],
      properties: { templateFile: 'S.template.json', stackName: 'proxytune' },
    },
    'S.assets': { type: 'cdk:asset-manifest', properties: { file: 'S.assets.json' } },
    ...stackOf('Data', ['Base']),
    ...stackOf('Base', []),
    ...stackOf('Unrelated', ['Base']),
  },
};

function write(assets: object): void {
  const docker = {
    image: { source: { directory: 'c' }, destinations: { x: { repositoryName: 'r', imageTag: 't' } } },
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'S.template.json'), JSON.stringify(template));
  for (const id of ['Base', 'Data', 'Unrelated']) {
    const source = { path: `${id}.template.json`, packaging: 'file' };
    const destinations = { x: { bucketName, objectKey: `${id}.json` } };
    writeFileSync(join(folder, source.path), JSON.stringify({ Resources: {}, Description: id }));
    writeFileSync(
      join(folder, `${id}.assets.json`),
      JSON.stringify({ files: { t: { source, destinations } } }),
    );
  }
  writeFileSync(join(folder, 'S.assets.json'), JSON.stringify({ files: assets, dockerImages: docker }));
}

describe('readAssembly', () => {
  it('reads a stack by its name, its template and its file assets, and ignores images', () => {
    write(files);
    const stack = readAssembly(folder, 'proxytune', environment).at(-1);
    const bucket = 'assets-000000000000-eu-west-1';
    const templateAsset = { path: join(folder, 'S.template.json'), zipped: false, bucket, key: 't.json' };
    expect(stack).toEqual({
      stackName: 'proxytune',
      template,
      templateAsset,
      assets: [templateAsset, { path: join(folder, 'asset.f'), zipped: true, bucket, key: 'f.zip' }],
    });
  });

  it('reads the stacks that it depends on first, each once, and no others', () => {
    write(files);
    const stacks = readAssembly(folder, 'proxytune', environment);
    expect(stacks.map(({ stackName }) => stackName)).toEqual(['Base', 'Data', 'proxytune']);
    expect(stacks.map(({ assets }) => assets.map(({ key }) => key))).toEqual([
      ['Base.json'],
      ['Data.json'],
      ['t.json', 'f.zip'],
    ]);
    expect(stacks[0]?.template).toEqual({ Resources: {}, Description: 'Base' });
  });

  it('lists the existing stacks if the requested one is missing', () => {
    write(files);
    expect(() => readAssembly(folder, 'S', environment)).toThrow(
      /Given: S\. Allowed: proxytune, Data, Base, Unrelated\./,
    );
  });

  it('rejects assets built by a command, a template that is not an asset, and a folder that is not an assembly', () => {
    write({ ...files, c: { source: { executable: ['make', 'it'] }, destinations: files.f.destinations } });
    expect(() => readAssembly(folder, 'proxytune', environment)).toThrow(/asset c .*Given: make it/);
    write({ f: files.f });
    expect(() => readAssembly(folder, 'proxytune', environment)).toThrow(/does not list its template/);
    expect(() => readAssembly(join(folder, 'none'), 'proxytune', environment)).toThrow(
      /manifest\.json.*cdk synth/,
    );
  });
});
