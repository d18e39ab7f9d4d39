/** The door itself, run as the CDK's command line runs it: no credentials, no Docker, nothing from the network. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { cdkJson, removeTemporary, temporary } from './synthesize.ts';

afterAll(removeTemporary);

function runDoor(settings: Record<string, string>) {
  const outdir = temporary('proxytune-door-');
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

test('synthesises for one machine, and CloudFormation’s own rules have nothing to say', () => {
  const { status, stderr, outdir } = runDoor({ target: 'local', heartbeatSeconds: '20' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(existsSync(join(outdir, 'Proxytune.template.json'))).toBe(true);
  expect(JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')).pluginReports).toEqual([]);
});

test('synthesises for an account, the image left to be built by deploy', () => {
  const { status, stderr, outdir } = runDoor({});
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const assets = JSON.parse(readFileSync(join(outdir, 'Proxytune.assets.json'), 'utf8'));
  const images: { source: { platform: string; directory: string } }[] = Object.values(assets.dockerImages);
  expect(images.map(({ source }) => source.platform)).toEqual(['linux/amd64']);
  // Exactly what the Dockerfile copies: a file too few fails the build, one too many builds for nothing.
  const copied = [...readFileSync('containers/Dockerfile', 'utf8').matchAll(/^COPY (.+) \S+$/gm)];
  const sources = copied.flatMap(([, names = '']) => names.split(' '));
  expect(readdirSync(join(outdir, images[0]?.source.directory ?? '')).sort()).toEqual(
    ['Dockerfile', ...sources].sort(),
  );
});

test('a wrong setting is refused with what would be right', () => {
  const { status, stderr } = runDoor({ targett: 'local' });
  expect(status).not.toBe(0);
  expect(stderr).toContain('targett is not known, did you mean target?');
});

test('is only a door', () => {
  expect(readFileSync('bin/app.ts', 'utf8').split('\n').length).toBeLessThanOrEqual(40);
});
