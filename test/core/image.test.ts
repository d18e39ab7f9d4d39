import { imageReference, parseEcrImage } from '../../lib/core/plan/image.ts';

const REPOSITORY = '123456789012.dkr.ecr.us-east-1.amazonaws.com/team/images';
const DIGEST = `sha256:${'0'.repeat(64)}`;

test.each([
  ['a tag', `${REPOSITORY}:v1`, 'v1'],
  ['a digest', `${REPOSITORY}@${DIGEST}`, undefined],
  ['a tag and a digest', `${REPOSITORY}:v1@${DIGEST}`, undefined],
  ['no tag', REPOSITORY, undefined],
])('an image of ECR with %s', (_, uri, tag) => {
  const image = { account: '123456789012', region: 'us-east-1', repository: 'team/images' };
  expect(parseEcrImage(uri)).toEqual(tag === undefined ? image : { ...image, tag });
  if (tag === undefined) expect(() => imageReference(uri)).toThrow('does not name an image in ECR');
  else expect(imageReference(uri)).toEqual({ repository: 'team/images', tag });
});

test.each(['python:3.12', 'public.ecr.aws/team/images:v1', `registry.example/${REPOSITORY}:v1`])(
  '%s is not an image of ECR',
  (uri) => {
    expect(parseEcrImage(uri)).toBeUndefined();
    expect(() => imageReference(uri)).toThrow('does not name an image in ECR');
  },
);
