/** The account's own key is not asked about, so that the emulator may wait for one of our services while it is busy. */
import { EmulatorAuthorizer } from '../../../lib/local/iam/authorizer.ts';

const signedWith = (key: string) => ({
  method: 'POST',
  path: '/',
  headers: { Authorization: `AWS4-HMAC-SHA256 Credential=${key}/20261130/us-east-1/states/aws4_request` },
  body: Buffer.from('{}'),
});
const needs = { calls: [{ action: 'states:DescribeStateMachine', resource: '*' }] };

test('only a request of the account needs no answer of the emulator', async () => {
  // Nothing listens there, as if the emulator did not answer.
  const authorizer = new EmulatorAuthorizer('http://127.0.0.1:1', 'secret');
  await expect(authorizer.request(signedWith('local'), needs)).resolves.toBeUndefined();
  await expect(authorizer.request(signedWith('ASIA0123456789ABCDEF'), needs)).rejects.toThrow();
  const passes = { service: 'states.amazonaws.com', role: 'arn:aws:iam::0:role/r', source: 'arn' };
  await expect(authorizer.request(signedWith('local'), { ...needs, passes })).rejects.toThrow();
  authorizer.close();
});
