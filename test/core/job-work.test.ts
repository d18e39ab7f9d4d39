/** `job-work.ts` counts the same work as the containers' tests count in real jobs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { busiest, curateWork, evaluateWork, learnWork, teachWork } from './job-work.ts';

/** The cases that real jobs are counted against. */
interface Counted {
  readonly teach: {
    hyperparameters: Parameters<typeof teachWork>[0];
    gpus: number;
    photos: number;
    work: object;
  }[];
  readonly learn: { hyperparameters: Parameters<typeof learnWork>[0]; gpus: number; work: object }[];
  readonly draw: Record<'pictures' | 'picturesPerChunk' | 'instances' | 'gpus' | 'busiest', number>[];
  readonly curate: { ends: number[]; photos: number; work: object }[];
  readonly evaluate: {
    proxies: number;
    prompts: number;
    picturesPerPrompt: number;
    photos: number;
    work: object;
  }[];
}
const counted: Counted = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../containers/tests/job_work.json'), 'utf8'),
);

describe('work counted here is what real jobs do', () => {
  test.each(counted.teach)('teach, %#', ({ hyperparameters, gpus, photos, work }) => {
    expect(teachWork(hyperparameters, gpus, photos)).toEqual(work);
  });
  test.each(counted.learn)('learn, %#', ({ hyperparameters, gpus, work }) => {
    expect(learnWork(hyperparameters, gpus)).toEqual(work);
  });
  test.each(counted.draw)('drawing, %#', ({ pictures, picturesPerChunk, instances, gpus, busiest: most }) => {
    const chunks = Array.from({ length: Math.ceil(pictures / picturesPerChunk) }, (_, at) => ({
      pictures: Array(Math.min(picturesPerChunk, pictures - at * picturesPerChunk)).fill(null),
    }));
    // No more processes than an instance has chunks to choose from.
    expect(busiest(chunks, instances * Math.min(gpus, chunks.length))).toBe(most);
  });
  test.each(counted.curate)('curate, %#', ({ ends, photos, work }) => {
    expect(curateWork(ends, photos)).toEqual(work);
  });
  test.each(counted.evaluate)('evaluate, %#', ({ proxies, prompts, picturesPerPrompt, photos, work }) => {
    expect(evaluateWork(proxies, 2, prompts * picturesPerPrompt, photos)).toEqual(work);
  });
});
