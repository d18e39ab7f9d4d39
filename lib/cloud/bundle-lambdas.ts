/**
 * Bundles every lambda into a self-contained folder: `build/lambdas/<platform>/<name>/`.
 * A single esbuild call in this process: no Docker, and about a second.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';
import { ALL_LAMBDA_NAMES, type LambdaName } from './lambda-names.ts';
import { copyModules, EXTERNAL_MODULES, LAMBDA_PLATFORM, THIS_PLATFORM } from './native-modules.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface BundleOptions {
  /** Where the lambdas will run: in Lambda (Linux, x86-64), or on this machine. */
  readonly target: 'account' | 'local';
  /** @default - the repo's root */
  readonly root?: string;
}

export interface LambdaBundles {
  /** The asset folder of each lambda. */
  readonly folders: Readonly<Record<LambdaName, string>>;
  /** The contents of each bundle, as reported by esbuild. */
  readonly metafile: Metafile;
}

/**
 * Bundles all lambdas. The same sources always give the same bytes, and files that are up to date are left
 * alone, so two processes may run this concurrently.
 *
 * @throws Error naming every handler that is missing; esbuild's own error when one does not compile
 */
export function bundleLambdas({ target, root = ROOT }: BundleOptions): LambdaBundles {
  requireHandlers(root);
  const platform = target === 'account' ? LAMBDA_PLATFORM : THIS_PLATFORM;
  const outdir = join(root, 'build', 'lambdas', platform);
  const { outputFiles, metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: ALL_LAMBDA_NAMES.map((name) => ({ in: handlerOf(root, name), out: join(name, 'index') })),
    outdir,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    // The SDK is bundled as well: the version in the Lambda runtime changes without notice.
    external: [...EXTERNAL_MODULES],
    // Not minified: a stack trace in the logs should be readable without a source map.
    legalComments: 'none',
    logLevel: 'error',
  });
  for (const file of outputFiles) writeIfChanged(file.path, file.contents);
  copyModules(join(outdir, 'inspect-photos'), { platform, root });
  const folders = Object.fromEntries(ALL_LAMBDA_NAMES.map((name) => [name, join(outdir, name)]));
  return { folders: folders as Record<LambdaName, string>, metafile };
}

function handlerOf(root: string, name: LambdaName): string {
  return join(root, 'lambdas', name, 'handler.ts');
}

function requireHandlers(root: string): void {
  const missing = ALL_LAMBDA_NAMES.filter((name) => !existsSync(handlerOf(root, name)));
  if (missing.length === 0) return;
  throw new Error(
    `handlers are missing: ${missing.map((name) => `lambdas/${name}/handler.ts`).join(', ')}. ` +
      'Every name in lib/cloud/lambda-names.ts needs a handler: write it or remove the name',
  );
}

/** Writes to a temporary file and renames it, so that another process never reads half a file. */
function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
