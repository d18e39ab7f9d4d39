import {
  type AuthorizedCall,
  formatTrace,
  normalizeTrace,
  parseTrace,
} from '../../../lib/local/iam/trace.ts';

const ACCOUNT = '000000000000';
const IDS = {
  'proxytune-data-0a1b2c3d': 'DataBucketE3889A50',
  'Proxytune-StartJobRole-7XYZ': 'MachineLambdasStartJobRole2B4C',
  'Proxytune-StartJobRole-7XYZ2': 'AnotherRole12',
};

const CALL: AuthorizedCall = {
  principal: { role: `arn:aws:iam::${ACCOUNT}:role/Proxytune-StartJobRole-7XYZ` },
  action: 's3:PutObject',
  resource: 'arn:aws:s3:::proxytune-data-0a1b2c3d/runs/my-dog-0a1b2c3d/pictures/synthesize/a1/0007.png',
  context: { 'aws:securetransport': 'true' },
  judgedBy: 'identity',
  decision: 'Allow',
};

function normalized(changes: Partial<AuthorizedCall>): AuthorizedCall | undefined {
  return normalizeTrace([{ ...CALL, ...changes }], IDS)[0];
}

test('names of the stack become logical ids, and random names of a run become 0', () => {
  expect(normalized({})).toEqual({
    ...CALL,
    principal: { role: `arn:aws:iam::${ACCOUNT}:role/\${MachineLambdasStartJobRole2B4C}` },
    resource: `arn:aws:s3:::\${DataBucketE3889A50}/runs/my-dog-0/pictures/synthesize/a0/0.png`,
  });
});

test('the longer of two physical ids is the one that is meant', () => {
  const role = `arn:aws:iam::${ACCOUNT}:role/Proxytune-StartJobRole-7XYZ2`;
  expect(normalized({ principal: { role } })?.principal).toEqual({
    role: `arn:aws:iam::${ACCOUNT}:role/\${AnotherRole12}`,
  });
});

test('a physical id is replaced only where it is the whole name, and the digest in a prefix stays', () => {
  const ids = { ...IDS, 'proxytune-a6uu': 'Images' };
  const of = (resource: string) => normalizeTrace([{ ...CALL, resource }], ids)[0]?.resource;
  const arn = `arn:aws:ecr:us-east-1:${ACCOUNT}:repository`;
  expect(of(`${arn}/proxytune-a6uu`)).toBe(`${arn}/\${Images}`);
  const job = `arn:aws:sagemaker:us-east-1:${ACCOUNT}:training-job`;
  expect(of(`${job}/proxytune-a6uu-dog-0a1b2c3d-learn-r2-a1`)).toBe(
    `${job}/proxytune-a6uu-dog-0-learn-r0-a0`,
  );
});

test('account, region and service of an ARN keep their digits', () => {
  const resource = `arn:aws:states:us-east-1:${ACCOUNT}:execution:m:3f2c1d4e-0000-4000-8000-0123456789ab`;
  expect(normalized({ resource })?.resource).toBe(`arn:aws:states:us-east-1:${ACCOUNT}:execution:m:0`);
});

test('what conditions compare stays: instances and limits; tags and prefixes lose what is random', () => {
  const context = {
    'sagemaker:maxruntimeinseconds': '3600',
    'sagemaker:instancetypes': ['ml.g5.2xlarge'],
    'aws:requesttag/proxytune:run': 'my-dog-0a1b2c3d',
    's3:prefix': 'runs/my-dog-0a1b2c3d/',
    'aws:tagkeys': ['b', 'a'],
  };
  expect(normalized({ context })?.context).toEqual({
    ...context,
    'aws:requesttag/proxytune:run': 'my-dog-0',
    's3:prefix': 'runs/my-dog-0/',
    'aws:tagkeys': ['a', 'b'],
  });
});

test('a trace has each call once, in an order that does not depend on time', () => {
  const other = { ...CALL, action: 's3:GetObject' };
  const again = { ...CALL, resource: CALL.resource.replace('0007', '0008') };
  const trace = normalizeTrace([CALL, other, again], IDS);
  expect(trace.map(({ action }) => action)).toEqual(['s3:GetObject', 's3:PutObject']);
  expect(normalizeTrace([again, CALL, other], IDS)).toEqual(trace);
  expect(parseTrace(formatTrace(trace))).toEqual(trace);
});
