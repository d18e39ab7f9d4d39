/**
 * Packs every lambda into a folder of its own that needs nothing beside it: `build/lambdas/<platform>/<name>/`.
 * One call of esbuild for all of them, in this process: no Docker, and about a second.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';
import { LAMBDA_NAMES, type LambdaName } from './lambda-names.ts';
import { EXTERNAL_MODULES, LAMBDA_PLATFORM, placeModules, THIS_PLATFORM } from './native-modules.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface BundleOptions {
  /** Where the lambdas will run: in Lambda (Linux, x86-64), or on this machine. */
  readonly target: 'account' | 'local';
  /** @default - the repo's root */
  readonly root?: string;
}

export interface LambdaBundles {
  /** The folder of each lambda, to be taken as an asset. */
  readonly folders: Readonly<Record<LambdaName, string>>;
  /** What went into each bundle, as esbuild tells it; a test derives each lambda's AWS calls from this. */
  readonly metafile: Metafile;
}

/**
 * Bundles all lambdas. The same sources always give the same bytes, and files that are already right are left
 * alone, so that two processes may do this at once.
 *
 * @throws Error naming every handler that is missing; esbuild's own error when one does not compile
 */
export function bundleLambdas({ target, root = ROOT }: BundleOptions): LambdaBundles {
  refuseMissing(root);
  const platform = target === 'account' ? LAMBDA_PLATFORM : THIS_PLATFORM;
  const outdir = join(root, 'build', 'lambdas', platform);
  const { outputFiles, metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: LAMBDA_NAMES.map((name) => ({ in: handlerOf(root, name), out: join(name, 'index') })),
    outdir,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    // The SDK is bundled as well: what Lambda brings along changes under our feet.
    external: [...EXTERNAL_MODULES],
    // Not minified: a stack trace in the logs should be readable without a source map.
    legalComments: 'none',
    logLevel: 'error',
  });
  for (const file of outputFiles) writeIfChanged(file.path, file.contents);
  placeModules(join(outdir, 'inspect-photos'), { platform, root });
  const folders = Object.fromEntries(LAMBDA_NAMES.map((name) => [name, join(outdir, name)]));
  return { folders: folders as Record<LambdaName, string>, metafile };
}

function handlerOf(root: string, name: LambdaName): string {
  return join(root, 'lambdas', name, 'handler.ts');
}

function refuseMissing(root: string): void {
  const missing = LAMBDA_NAMES.filter((name) => !existsSync(handlerOf(root, name)));
  if (missing.length === 0) return;
  throw new Error(
    `handlers are missing: ${missing.map((name) => `lambdas/${name}/handler.ts`).join(', ')}. ` +
      'Each name in lib/cloud/lambda-names.ts needs its handler; write it, or take the name out',
  );
}

/** Renamed into place, so that another process never reads half a file. */
function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
