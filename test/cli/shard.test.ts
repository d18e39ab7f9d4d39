/** Shards that come from a bucket: read whole, or refused by name. */
import { readShard } from '../../lib/cli/generation/shard.ts';
import { BLOCK } from '../../lib/local/sagemaker/transfer/tar-format.ts';
import { entry, shardOf } from '../lambdas/fixtures/shard.ts';

const CHUNK = {
  stage: 'sample-student' as const,
  chunk: 0,
  variant: 'tuned' as const,
  size: 64,
  batch_size: 2,
  sampler: { kind: 'diffusion' as const, steps: 1, guidance: 1 },
  pictures: [3, 4].map((index) => ({ index, prompt: 'a ohwx dog', seed: 100 + index })),
};
const END = Buffer.alloc(2 * BLOCK);
const sound = shardOf(CHUNK);

test('every picture comes with its own record', () => {
  const pictures = readShard(sound, 'chunk-0000.json.out');
  expect(pictures.map(({ record, png }) => [record.index, record.seed, png.toString()])).toEqual([
    [3, 103, 'the picture of a ohwx dog from 103'],
    [4, 104, 'the picture of a ohwx dog from 104'],
  ]);
});

const changed = Buffer.from(sound);
changed.write('THE', sound.indexOf('the picture'));

test.each([
  ['nothing', Buffer.alloc(0), 'ends too early'],
  ['words', Buffer.from('shard 0'), 'ends too early'],
  ['no tar', Buffer.alloc(4 * BLOCK, 'x'), 'damaged'],
  ['an empty one', END, 'no picture'],
  ['one that is cut off in a picture', sound.subarray(0, BLOCK + 10), 'ends too early'],
  ['one that is cut off between entries', sound.subarray(0, sound.length - 2 * BLOCK), 'ends too early'],
  ['a changed picture', changed, '000003.png is not the picture'],
  ['a lone picture', Buffer.concat([entry('000000.png', Buffer.from('p')), END]), 'has no record'],
  [
    'a record of another kind',
    Buffer.concat([entry('000000.png', Buffer.from('p')), entry('000000.json', Buffer.from('{}')), END]),
    'the record of 000000.png: index: ',
  ],
])('%s is refused by name', (_, content, words) => {
  expect(() => readShard(content, 'chunk-0000.json.out')).toThrow(
    expect.objectContaining({ name: 'ShardInvalid', message: expect.stringContaining(words) }),
  );
});
