import { danglingReferences } from '../../../lib/local/deploy/references.ts';

const complete = {
  Parameters: { Size: { Type: 'String' } },
  Conditions: { Large: { 'Fn::Equals': [{ Ref: 'Size' }, 'L'] } },
  Mappings: { Zones: { a: { b: 'c' } } },
  Resources: {
    Bucket: { Type: 'AWS::S3::Bucket', Metadata: { note: { Ref: 'free text' } } },
    Policy: {
      Type: 'AWS::S3::BucketPolicy',
      DependsOn: ['Bucket'],
      Condition: 'Large',
      Properties: {
        Bucket: { Ref: 'Bucket' },
        Region: { Ref: 'AWS::Region' },
        Arn: { 'Fn::GetAtt': ['Bucket', 'Arn'] },
        Short: { 'Fn::GetAtt': 'Bucket.Arn' },
        Sub: {
          // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own notation.
          'Fn::Sub': ['${Bucket.Arn}/${Own}/${!Literal}/${AWS::Region}/${Size}', { Own: { Ref: 'Size' } }],
        },
        Zone: { 'Fn::FindInMap': ['Zones', 'a', 'b'] },
        Maybe: { 'Fn::If': ['Large', { Ref: 'Bucket' }, { Ref: 'AWS::NoValue' }] },
      },
    },
  },
  Outputs: { Name: { Value: { Ref: 'Bucket' } } },
};

/** The complete template with one property of the policy replaced. */
function withProperty(value: unknown, extra: object = {}) {
  const policy = { ...complete.Resources.Policy, ...extra, Properties: { X: value } };
  return { ...complete, Resources: { ...complete.Resources, Policy: policy } };
}

describe('danglingReferences', () => {
  it('finds none in a valid template', () => {
    expect(danglingReferences(complete)).toEqual([]);
  });

  it.each([
    [{ Ref: 'Bukket' }, 'Policy: Ref to "Bukket"'],
    [{ a: [{ 'Fn::GetAtt': ['Bukket', 'Arn'] }] }, 'Policy: Fn::GetAtt to "Bukket"'],
    [{ 'Fn::GetAtt': 'Size.Arn' }, 'Policy: Fn::GetAtt to "Size"'],
    [{ 'Fn::Sub': 'x-$' + '{Bukket}' }, 'Policy: Fn::Sub to "Bukket"'],
    [{ 'Fn::Sub': ['$' + '{Size.Arn}', {}] }, 'Policy: Fn::Sub to "Size.Arn"'],
    [{ 'Fn::Sub': ['$' + '{A}', { A: { Ref: 'Bukket' } }] }, 'Policy: Ref to "Bukket"'],
    [{ 'Fn::If': ['Small', 1, 2] }, 'Policy: Fn::If to "Small"'],
    [{ 'Fn::FindInMap': ['Zone', 'a', 'b'] }, 'Policy: Fn::FindInMap to "Zone"'],
    [{ 'Fn::Join': ['', ['a', { Ref: 'Bukket' }]] }, 'Policy: Ref to "Bukket"'],
  ])('finds %j', (value, found) => {
    expect(danglingReferences(withProperty(value))).toEqual([`${found}, which is not in the template`]);
  });

  it('finds what a resource depends on and what an output shows', () => {
    const template = withProperty(1, { DependsOn: 'Bukket', Condition: 'Small' });
    expect(danglingReferences({ ...template, Outputs: { Name: { Value: { Ref: 'Gone' } } } })).toEqual([
      'Policy: DependsOn to "Bukket", which is not in the template',
      'Policy: Condition to "Small", which is not in the template',
      'output Name: Ref to "Gone", which is not in the template',
    ]);
  });
});
