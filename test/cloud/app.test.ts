/** The entry point, run as the CDK's command line runs it: no credentials, no Docker, no network. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { cdkJson, removeTemporary, temporary } from './synthesize.ts';

afterAll(removeTemporary);

function runApp(settings: Record<string, string>) {
  const outdir = temporary('proxytune-app-');
  const node = resolve('node_modules/.bin/node');
  const result = spawnSync(node, ['bin/app.ts'], {
    encoding: 'utf8',
    env: {
      // Nothing else is on the path, so neither docker nor npm can be called.
      PATH: dirname(node),
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...cdkJson().context, ...settings }),
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
  expect(status).not.toBe(0);
  expect(stderr).toContain('unknown setting targett, did you mean target?');
});

test('is only an entry point', () => {
  expect(readFileSync('bin/app.ts', 'utf8').split('\n').length).toBeLessThanOrEqual(40);
});
