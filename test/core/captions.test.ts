/** The rules of captions: where the subject is, and what no caption may hold. */
import {
  type CaptionFacts,
  type CaptionSubject,
  captionLine,
  captionPrompt,
  judgeCaption,
  mostCaptionBytes,
} from '../../lib/core/photos/captions.ts';
import { companionOf, photosWith } from '../../lib/core/photos/companions.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';

const dog: CaptionSubject = { category: 'dog', tokenWord: 'ohwx', vocabulary: null };

const facts = (text: string, rest: Partial<CaptionFacts> = {}): CaptionFacts => ({
  file: 'a.txt',
  bytes: Buffer.byteLength(text),
  photos: ['a.jpg'],
  text,
  ...rest,
});
const codesOf = (given: CaptionFacts, subject: CaptionSubject = dog): string[] =>
  judgeCaption(given, subject, PHOTO_LIMITS).map(({ code }) => code);

test.each([
  ['a photo of {subject} on a sofa', 'a photo of ohwx dog on a sofa'],
  ['{subject}, and {subject} again, before a dog', 'ohwx dog, and ohwx dog again, before a dog'],
  ['a photo of {token} dog asleep', 'a photo of ohwx dog asleep'],
  ['a dog on a red carpet', 'a ohwx dog on a red carpet'],
  ['A photo of a Dog, next to another dog', 'A photo of a ohwx dog, next to another dog'],
  ['a photo of a ohwx dog at night', 'a photo of a ohwx dog at night'],
  ['ohwx asleep', 'ohwx asleep'],
  // A sign before the word would be glued to the token word, and one after it to the word that stands for the subject.
  ['ohwx, a dog asleep', 'ohwx, a ohwx dog asleep'],
])('the subject is put into "%s"', (text, prompt) => {
  expect(captionPrompt(text, dog)).toBe(prompt);
  expect(codesOf(facts(text))).toEqual([]);
});

test.each(['a cat on a sofa', 'two dogs', 'a hot-dog', 'a hotdog', 'a "{subject}"', 'dogsled'])(
  '"%s" does not say where the dog is',
  (text) => {
    expect(captionPrompt(text, dog)).toBeUndefined();
    expect(codesOf(facts(text))).toEqual(['caption-without-subject']);
  },
);

test('a category of two words stands for the subject as a whole', () => {
  const toy = { ...dog, category: 'stuffed animal' };
  expect(captionPrompt('a stuffed animal in grass', toy)).toBe('a ohwx stuffed animal in grass');
  expect(captionPrompt('a stuffed toy animal', toy)).toBeUndefined();
});

test.each([
  ['a dog\u0000', '\\u0000'],
  ['a dog \u202eevil', '\\u202e'],
  ['a dog\u200bhouse', '\u200b'],
  ['a dog <|endoftext|>', '<'],
  ['a dog </s>', '<'],
  ['a {subjct} dog', '{subjct}'],
  ['a {{subject}} dog', '{'],
  ['a dog {', '{'],
])('%j holds what no caption may', (text, named) => {
  const [finding] = judgeCaption(facts(text), dog, PHOTO_LIMITS);
  expect(finding?.code).toBe('caption-characters');
  expect(finding?.severity).toBe('blocker');
  expect(finding?.message).toContain(named.length === 1 && named > '~' ? 'contains' : named);
  // Nothing in a message commands the terminal that shows it.
  expect(finding?.message).not.toMatch(/[\p{Cc}\u202e]/u);
});

test('length: characters, not bytes; long ones are taken with a warning', () => {
  const long = (length: number) => `a dog ${'é'.repeat(length - 6)}`;
  expect(codesOf(facts(long(300)))).toEqual([]);
  expect(judgeCaption(facts(long(301)), dog, PHOTO_LIMITS)).toMatchObject([
    { code: 'caption-long', severity: 'warning' },
  ]);
  expect(codesOf(facts(long(1000)))).toEqual(['caption-long']);
  expect(codesOf(facts(long(1001)))).toEqual(['caption-too-long']);
  expect(mostCaptionBytes(PHOTO_LIMITS)).toBeGreaterThanOrEqual(
    Buffer.byteLength(`\uFEFF${'🐕'.repeat(1000)}`),
  );
});

test('faults of the file come first, one at a time', () => {
  const { text: _, ...unread } = facts('');
  expect(codesOf({ ...unread, photos: [] })).toEqual(['caption-without-photo']);
  expect(codesOf({ ...unread, bytes: 5000 })).toEqual(['caption-too-long']);
  expect(codesOf({ ...unread, failure: { kind: 'unreadable', detail: 'EACCES' } })).toEqual(['unreadable']);
  expect(codesOf({ ...unread, failure: { kind: 'not-utf8', detail: 'x' } })).toEqual(['caption-not-utf8']);
  expect(codesOf(facts(''))).toEqual(['caption-empty']);
});

test('without a request the subject is not asked for; everything else is', () => {
  expect(judgeCaption(facts('a cat'), dog, PHOTO_LIMITS)).toMatchObject([
    { code: 'caption-without-subject' },
  ]);
  expect(judgeCaption(facts('a cat'), undefined, PHOTO_LIMITS)).toEqual([]);
  expect(judgeCaption(facts(''), undefined, PHOTO_LIMITS)).toMatchObject([{ code: 'caption-empty' }]);
});

test('in a domain with few words, captions have no others', () => {
  const mug = { category: 'mug', tokenWord: 'ohwx', vocabulary: ['a', 'mug', 'on', 'lawn'] };
  expect(codesOf(facts('a mug on a lawn'), mug)).toEqual([]);
  const [finding] = judgeCaption(facts('a mug on a lawn, shining'), mug, PHOTO_LIMITS);
  expect(finding?.code).toBe('caption-unknown-words');
  expect(finding?.message).toContain('lawn, shining;');
});

test('several lines are one caption', () => {
  expect(captionLine(' a dog\r\n\ton  grass \n')).toBe('a dog on grass');
});

test('a caption belongs to the photos of its name, in its folder', () => {
  const photos = ['a.jpg', 'a.heic', 'b/a.jpg', 'A.jpg', 'a.b.jpg', 'e\u0301te\u0301.jpg'];
  const of = (file: string): string[] | undefined => {
    const companion = companionOf(file);
    return companion && photosWith(companion, photos);
  };
  expect(of('a.txt')).toEqual(['a.jpg', 'a.heic']);
  expect(of('b/a.TXT')).toEqual(['b/a.jpg']);
  expect(of('a.b.txt')).toEqual(['a.b.jpg']);
  expect(of('été.txt')).toEqual(['e\u0301te\u0301.jpg']);
  expect(of('a.jpg.txt')).toEqual([]);
  expect(of('a.jpg')).toBeUndefined();
  expect(of('a.md')).toBeUndefined();
});
