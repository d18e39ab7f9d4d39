/**
 * The packages that cannot be bundled into one file: sharp is native code, and the HEIC decoder is loaded by name in
 * a worker thread. They are copied into a `node_modules` next to the bundle, for the platform that will run them.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Kept as imports in the bundles. */
export const EXTERNAL_MODULES = ['sharp', 'heic-decode'] as const;

/** Named as in sharp's packages: `@img/sharp-linux-x64`. */
export const LAMBDA_PLATFORM = 'linux-x64';
export const THIS_PLATFORM = `${process.platform}${isMusl() ? 'musl' : ''}-${process.arch}`;

/** Packages whose code depends on the platform. */
const binariesFor = (platform: string): string[] => [
  `@img/sharp-${platform}`,
  `@img/sharp-libvips-${platform}`,
];

interface Package {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * Copies the packages into `folder/node_modules`. If this machine's `node_modules` lacks the platform's binaries, as
 * on a Mac that bundles for Lambda, they are installed with npm.
 */
export function copyModules(folder: string, { platform, root }: { platform: string; root: string }): void {
  const source = sourceFor(platform, root);
  const names = closure([...EXTERNAL_MODULES, ...binariesFor(platform)], source);
  const wanted = names.map((name) => `${name}@${packageOf(source, name).version}\n`).join('');
  const target = join(folder, 'node_modules');
  const stamp = join(target, '.copied');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // Filled under a temporary name and renamed, so that another process never sees half of it.
  const temporary = `${target}.${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  for (const name of names)
    cpSync(join(source, name), join(temporary, name), { recursive: true, dereference: true });
  writeFileSync(join(temporary, '.copied'), wanted);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  renameSync(temporary, target);
}

/** The `node_modules` that has the platform's binaries. */
function sourceFor(platform: string, root: string): string {
  const here = join(root, 'node_modules');
  // Windows and some other platforms have libvips inside the first package, so only that one is checked.
  if (existsSync(join(here, `@img/sharp-${platform}`))) return here;
  const { version } = packageOf(here, 'sharp');
  const heic = packageOf(here, 'heic-decode').version;
  const fetched = join(root, 'build', 'native', `${platform}-sharp-${version}`);
  const modules = join(fetched, 'node_modules');
  if (existsSync(join(modules, `@img/sharp-${platform}`))) return modules;
  console.error(`proxytune: sharp for ${platform} is not installed here; installing it once into ${fetched}`);
  fetchPackages(fetched, platform, [`sharp@${version}`, `heic-decode@${heic}`]);
  return modules;
}

/** @throws Error that says what to do if npm cannot install them */
function fetchPackages(folder: string, platform: string, packages: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const [os = '', cpu = ''] = platform.split('-');
  const flags = ['--no-save', '--no-audit', '--no-fund', `--os=${os}`, `--cpu=${cpu}`, '--libc=glibc'];
  try {
    execFileSync('npm', ['install', ...flags, ...packages], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
  } catch (cause) {
    throw new Error(
      `npm could not install ${packages.join(' and ')} for ${platform}, which the lambda inspect-photos needs. ` +
        `Synthesize once with access to the registry, or run npm by hand in ${folder}`,
      { cause },
    );
  }
}

/** The packages and their dependencies; platform binaries that do not exist as a package are left out. */
function closure(roots: readonly string[], modules: string): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !existsSync(join(modules, name))) return;
    found.add(name);
    for (const dependency of Object.keys(packageOf(modules, name).dependencies ?? {})) visit(dependency);
  };
  roots.forEach(visit);
  const missing = EXTERNAL_MODULES.filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`${missing.join(', ')} is not installed in ${modules}; run npm ci`);
  return [...found].sort();
}

function packageOf(modules: string, name: string): Package {
  return JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as Package;
}

/** Distributions such as Alpine have another C library and need other binaries. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime === undefined;
}
