/** The entry point, run as the CDK's command line runs it: no credentials, no Docker, no network. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { cdkJson, removeTemporary, temporary } from './synthesize.ts';

afterAll(removeTemporary);

function runApp(settings: Record<string, string>, environment: Record<string, string> = {}) {
  const outdir = temporary('proxytune-app-');
  const node = resolve('node_modules/.bin/node');
  const result = spawnSync(node, ['bin/app.ts'], {
    encoding: 'utf8',
    env: {
      ...environment,
      // Nothing else is on the path, so neither docker nor npm can be called.
      PATH: dirname(node),
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...cdkJson().context, proxytune: settings }),
    },
  });
  return { ...result, outdir };
}

test('synthesizes for the local target without findings of CloudFormation’s own rules', () => {
  const { status, stderr, outdir } = runApp({ target: 'local', heartbeatSeconds: '20' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(existsSync(join(outdir, 'Proxytune.template.json'))).toBe(true);
  expect(JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')).pluginReports).toEqual([]);
});

test('synthesizes for an account and leaves building the image to deploy', () => {
  const { status, stderr, outdir } = runApp({});
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const assets = JSON.parse(readFileSync(join(outdir, 'Proxytune.assets.json'), 'utf8'));
  const images: { source: { platform: string; directory: string } }[] = Object.values(assets.dockerImages);
  expect(images.map(({ source }) => source.platform)).toEqual(['linux/amd64']);
  // Exactly what the Dockerfile copies: a missing file fails the build, an extra one causes needless builds.
  const copied = [...readFileSync('containers/Dockerfile', 'utf8').matchAll(/^COPY (.+) \S+$/gm)];
  const sources = copied.flatMap(([, names = '']) => names.split(' '));
  expect(readdirSync(join(outdir, images[0]?.source.directory ?? '')).sort()).toEqual(
    ['Dockerfile', ...sources].sort(),
  );
});

test('rejects an unknown setting and suggests the right one', () => {
  const { status, stderr } = runApp({ targett: 'local' });
  expect(status).toBe(1);
  expect(stderr).toContain('unknown setting proxytune:targett, did you mean proxytune:target?');
  expect(stderr).not.toContain('    at ');
});

test.each([
  ['cn-north-1', 'aws-cn'],
  ['us-gov-west-1', 'aws-us-gov'],
  ['us-iso-east-1', 'aws-iso'],
])('rejects the region %s in words', (region, partition) => {
  const { status, stderr } = runApp({ target: 'local' }, { CDK_DEFAULT_REGION: region });
  expect(status).toBe(1);
  expect(stderr).toContain(`The region ${region} is in the partition ${partition}`);
  expect(stderr).not.toContain('    at ');
});

test('is only an entry point', () => {
  expect(readFileSync('bin/app.ts', 'utf8').split('\n').length).toBeLessThanOrEqual(40);
});
