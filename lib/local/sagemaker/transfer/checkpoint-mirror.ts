/** Mirrors a job's checkpoint folder to an S3 prefix while the job runs, as SageMaker does. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileBelow, inside, type Location, relativeName } from './location.ts';
import type { Objects } from './objects.ts';

const SCAN_MILLISECONDS = 1000;

/** A file that was modified within this time is probably still being written. */
const QUIET_MILLISECONDS = 300;

export interface CheckpointMirrorOptions {
  readonly objects: Objects;
  readonly folder: string;
  readonly target: Location;
  readonly warn: (message: string) => void;
  /** Removes what its folder never had, such as the checkpoints of other hosts. @default false */
  readonly removesForeign?: boolean;
}

export class CheckpointMirror {
  readonly #objects: Objects;
  readonly #folder: string;
  readonly #target: Location;
  readonly #warn: (message: string) => void;
  readonly #removesForeign: boolean;
  /** The version (size and time) of each file in S3, by name. */
  readonly #stored = new Map<string, string>();
  /** Recently modified files that were skipped once: the next scan uploads them, even if they are modified again. */
  #fresh = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #scan: Promise<void> = Promise.resolve();

  constructor({ objects, folder, target, warn, removesForeign = false }: CheckpointMirrorOptions) {
    this.#objects = objects;
    this.#folder = folder;
    this.#target = target;
    this.#warn = warn;
    this.#removesForeign = removesForeign;
  }

  /** Downloads the objects in S3 to the folder. Objects added to S3 later are not downloaded. */
  async restore(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const prefix = inside(this.#target, '');
    for (const { key } of await this.#objects.list(prefix)) {
      const name = relativeName(prefix.key, key);
      const file = fileBelow(this.#folder, name);
      await this.#objects.download({ bucket: prefix.bucket, key }, file);
      this.#stored.set(name, version(await stat(file)));
    }
  }

  /** Starts mirroring; errors are logged and retried at the next scan. */
  start(): void {
    this.#timer = setTimeout(() => {
      this.#scan = this.#mirror(false)
        .catch((error) => this.#warn(`checkpoint upload failed and will be retried: ${error}`))
        .finally(() => {
          if (this.#timer) this.start();
        });
    }, SCAN_MILLISECONDS);
  }

  /** Ends mirroring after a last upload of all changes. */
  async finish(): Promise<void> {
    await this.abandon();
    await this.#mirror(true);
  }

  /** Ends mirroring without a last upload. */
  async abandon(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#scan;
  }

  async #mirror(last: boolean): Promise<void> {
    const foreign = this.#removesForeign ? await this.#compare() : [];
    const seen = await this.#files();
    const fresh = new Set<string>();
    for (const [name, { state, age }] of seen) {
      if (this.#stored.get(name) === state) continue;
      if (!last && age < QUIET_MILLISECONDS && !this.#fresh.has(name)) {
        fresh.add(name);
        continue;
      }
      if (await this.#upload(name)) this.#stored.set(name, state);
    }
    this.#fresh = fresh;
    for (const name of [...this.#stored.keys(), ...foreign]) {
      if (seen.has(name)) continue;
      await this.#objects.delete(inside(this.#target, name));
      this.#stored.delete(name);
    }
  }

  /** Finds the objects that this mirror did not store, and forgets those that another one removed. */
  async #compare(): Promise<string[]> {
    const prefix = inside(this.#target, '');
    const there = (await this.#objects.list(prefix)).map(({ key }) => relativeName(prefix.key, key));
    for (const name of [...this.#stored.keys()]) if (!there.includes(name)) this.#stored.delete(name);
    return there.filter((name) => !this.#stored.has(name));
  }

  /** Returns false if the container has deleted the file meanwhile. */
  async #upload(name: string): Promise<boolean> {
    try {
      await this.#objects.upload(join(this.#folder, name), inside(this.#target, name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  async #files(): Promise<Map<string, { state: string; age: number }>> {
    const found = new Map<string, { state: string; age: number }>();
    for (const entry of await readdir(this.#folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const stats = await stat(path).catch(() => undefined);
      if (!stats) continue;
      const name = path.slice(this.#folder.length + 1).replaceAll(sep, '/');
      found.set(name, { state: version(stats), age: Date.now() - stats.mtimeMs });
    }
    return found;
  }
}

function version(stats: { size: number; mtimeMs: number; ino: number }): string {
  return `${stats.size}:${stats.mtimeMs}:${stats.ino}`;
}
