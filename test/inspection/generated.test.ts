/** Generated hostile uploads: the verdict on each, and its reference. */
import sharp, { type Sharp } from 'sharp';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { type Inspection, inspectPhotos } from '../../lib/inspection/inspect.ts';
import type { PhotoSource } from '../../lib/inspection/source.ts';
import { bombPng, difference, pixelsOf, scene, source } from './pictures.ts';

async function run(
  ...sources: PhotoSource[]
): Promise<Inspection & { png: Record<string, Buffer>; codes: Record<string, string[]> }> {
  const written: Record<string, Buffer> = {};
  const inspection = await inspectPhotos(sources, {
    writeReference: async (name, png) => {
      written[name] = png;
    },
  });
  const png = Object.fromEntries(
    inspection.references.map(({ file, name }) => [file, written[name] ?? Buffer.alloc(0)]),
  );
  const codes = Object.fromEntries(
    inspection.photos.map(({ file, findings }) => [file, findings.map(({ code }) => code)]),
  );
  return { ...inspection, png, codes };
}

async function verdictOf(content: Buffer, file = 'photo.jpg'): Promise<[string, string[]]> {
  const { photos, codes } = await run(source(file, content));
  return [photos[0]?.verdict ?? 'none', codes[file] ?? []];
}

describe('accepts', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('and applies EXIF orientation %i', async (orientation) => {
    const upright = await scene(1, 640, 560).toBuffer();
    // The inverse of each orientation, so that applying it restores the upright image.
    const inverse: Record<number, (s: Sharp) => Sharp> = {
      1: (s) => s,
      2: (s) => s.flop(),
      3: (s) => s.rotate(180),
      4: (s) => s.flip(),
      5: (s) => s.rotate(270).flop(),
      6: (s) => s.rotate(270),
      7: (s) => s.rotate(90).flop(),
      8: (s) => s.rotate(90),
    };
    const turned = await (inverse[orientation] ?? ((s) => s))(sharp(upright)).toBuffer();
    const jpeg = await sharp(turned)
      .withMetadata({ orientation })
      .jpeg({ quality: 98, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const { png } = await run(source('a.jpg', jpeg));
    expect(await difference(png['a.jpg'] ?? jpeg, upright)).toBeLessThan(2);
  });

  test('CMYK and converts it to sRGB, not inverted', async () => {
    const original = await scene(2).toBuffer();
    const cmyk = await sharp(original).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const { png, codes } = await run(source('a.jpg', cmyk));
    expect(codes['a.jpg']).toEqual([]);
    // CMYK has fewer colours than sRGB: far off for some, but an inverted image differs by over 100.
    expect(await difference(png['a.jpg'] ?? cmyk, original)).toBeLessThan(35);
  });

  test('16 bits and scales them without clipping', async () => {
    const original = await scene(3).greyscale().toBuffer();
    const deep = await sharp(original).toColourspace('grey16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    const { png, codes } = await run(source('a.png', deep));
    expect(codes['a.png']).toEqual([]);
    expect(await difference(png['a.png'] ?? deep, original)).toBeLessThan(2);
  });

  test('transparency over white, with hidden colours staying hidden, also when shrunk', async () => {
    for (const side of [640, 2600]) {
      const { data } = await pixelsOf(await scene(4, side).toBuffer());
      const rgba = Buffer.alloc(side * side * 4);
      for (let i = 0; i < side * side; i += 1) {
        const hidden = i % side < side / 2;
        // Pure green under full transparency, which no tile may show.
        rgba.set(hidden ? [0, 255, 0, 0] : [...data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
      }
      const image = await sharp(rgba, { raw: { width: side, height: side, channels: 4 } })
        .png()
        .toBuffer();
      const { png, codes } = await run(source('a.png', image));
      expect(codes['a.png']).toEqual([]);
      const reference = await pixelsOf(png['a.png'] ?? image);
      const left = await sharp(png['a.png'])
        .extract({ left: 0, top: 0, width: reference.width / 2 - 2, height: reference.height })
        .raw()
        .toBuffer();
      expect(left.every((value) => value === 255)).toBe(true);
    }
  });

  test('a wide-gamut profile and converts it to sRGB', async () => {
    const original = await scene(5).toBuffer();
    const p3 = await sharp(original).withIccProfile('p3').jpeg({ quality: 98 }).toBuffer();
    // Ignoring the profile gives a large difference, converting from it a small one.
    const ignored = await sharp(p3, { ignoreIcc: true }).png().toBuffer();
    expect(await difference(ignored, original)).toBeGreaterThan(5);
    const { png } = await run(source('a.jpg', p3));
    expect(await difference(png['a.jpg'] ?? p3, original)).toBeLessThan(3);
  });

  test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)(
    '%s, regardless of the name',
    async (format) => {
      expect(await verdictOf(await scene(6).toFormat(format).toBuffer(), 'photo.bin')).toEqual([
        'accept',
        [],
      ]);
    },
  );

  test('a name with spaces, accents and a plus sign', async () => {
    const name = 'mon chien à la plage + été.jpg';
    expect(await verdictOf(await scene(7).jpeg().toBuffer(), name)).toEqual(['accept', []]);
  });

  test('the first frame of an animation, with a warning', async () => {
    const frames = await Promise.all([8, 9].map((seed) => scene(seed).toBuffer()));
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const { png, photos, codes } = await run(source('a.gif', gif));
    expect([photos[0]?.verdict, codes['a.gif']]).toEqual(['warn', ['animated']]);
    expect(await difference(png['a.gif'] ?? gif, frames[0] ?? gif)).toBeLessThan(12);
  });
});

describe('warns of', () => {
  test('visible blur only', async () => {
    const blurred = await scene(10).blur(12).jpeg().toBuffer();
    expect(await verdictOf(blurred)).toEqual(['warn', ['blurred']]);
    expect(await verdictOf(await scene(10).jpeg().toBuffer())).toEqual(['accept', []]);
  });

  test('blur, but not of a sharp subject on a soft background', async () => {
    const background = await scene(11).blur(20).toBuffer();
    const subject = await scene(12, 220).toBuffer();
    const photo = await sharp(background)
      .composite([{ input: subject, left: 200, top: 200 }])
      .jpeg()
      .toBuffer();
    expect(await verdictOf(photo)).toEqual(['accept', []]);
  });

  test('soft, elongated and mostly transparent images', async () => {
    expect(await verdictOf(await scene(13, 400).jpeg().toBuffer())).toEqual(['warn', ['soft']]);
    expect(await verdictOf(await scene(13, 1800, 600).jpeg().toBuffer())).toEqual(['warn', ['elongated']]);
    const clear = { create: { width: 640, height: 640, channels: 4, background: '#00000000' } } as const;
    const subject = await scene(14, 150).toBuffer();
    const cut = await sharp(clear)
      .composite([{ input: subject, left: 240, top: 240 }])
      .png()
      .toBuffer();
    expect(await verdictOf(cut)).toEqual(['warn', ['mostly-transparent']]);
  });

  test('copies, naming each other; copies in other formats once for the set', async () => {
    const shot = await scene(15).toBuffer();
    const { photos, set, accepted } = await run(
      source('a.jpg', await sharp(shot).jpeg({ quality: 95 }).toBuffer()),
      source('b.jpg', await sharp(shot).jpeg({ quality: 80 }).toBuffer()),
      source('c.png', shot),
      source('d.jpg', await scene(16).jpeg().toBuffer()),
      source('e.jpg', await scene(17).jpeg().toBuffer()),
    );
    expect(photos.map(({ verdict }) => verdict)).toEqual(['warn', 'warn', 'accept', 'accept', 'accept']);
    expect(photos[0]?.findings[0]?.message).toContain('b.jpg');
    expect(photos[1]?.findings[0]?.message).toContain('a.jpg');
    expect(set.map(({ code, severity }) => [code, severity])).toEqual([['repeated-picture', 'warning']]);
    expect(set[0]?.message).toContain('a.jpg, b.jpg, c.png');
    expect(accepted).toBe(5);
  });
});

describe('rejects', () => {
  test.each(['jpeg', 'png', 'webp', 'gif', 'avif'] as const)('a truncated %s', async (format) => {
    const complete = await scene(20).toFormat(format).toBuffer();
    for (const share of [0.5, 0.97]) {
      const cut = complete.subarray(0, Math.floor(complete.length * share));
      expect(await verdictOf(cut)).toEqual(['reject', ['truncated']]);
    }
  });

  test('a damaged file', async () => {
    const png = await scene(21).toBuffer();
    png.fill(0x55, png.length / 2, png.length / 2 + 200);
    const [verdict, codes] = await verdictOf(png);
    expect(verdict).toBe('reject');
    expect(['damaged', 'truncated']).toContain(codes[0]);
  });

  test('a decompression bomb, by its header alone', async () => {
    // This has no 900 million pixels to decode: the finding shows that nothing tried.
    expect(await verdictOf(bombPng(30_000, 30_000))).toEqual(['reject', ['too-many-pixels']]);
    expect(await verdictOf(bombPng(600, 600))).toEqual(['reject', ['truncated']]);
  });

  test('images that are too small, too elongated, or of one colour', async () => {
    expect(await verdictOf(await scene(22, 180).jpeg().toBuffer())).toEqual(['reject', ['too-small']]);
    expect(await verdictOf(await scene(22, 2600, 320).jpeg().toBuffer())).toEqual([
      'reject',
      ['too-elongated'],
    ]);
    const tiny = await scene(22, 200, 10).png().toBuffer();
    expect(await verdictOf(tiny)).toEqual(['reject', ['too-small', 'too-elongated']]);
    const white = { create: { width: 640, height: 640, channels: 3, background: '#fefefe' } } as const;
    expect(await verdictOf(await sharp(white).jpeg().toBuffer())).toEqual(['reject', ['blank']]);
  });

  test('a file that is not an image, an empty one, an unsupported one', async () => {
    const svg =
      '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
    const film = Buffer.concat([Buffer.from('\0\0\0\x18ftypqt  \0\0\0\0qt  ', 'latin1'), Buffer.alloc(64)]);
    expect(await verdictOf(Buffer.alloc(0))).toEqual(['reject', ['empty-file']]);
    expect(await verdictOf(Buffer.from('hello, this is text'))).toEqual(['reject', ['not-an-image']]);
    for (const content of [Buffer.from(svg), film, Buffer.from('%PDF-1.7\n')]) {
      expect(await verdictOf(content)).toEqual(['reject', ['unsupported-format']]);
    }
  });

  test('a camera raw file instead of accepting its preview', async () => {
    const tiff = await scene(23).tiff().toBuffer();
    expect(await verdictOf(tiff)).toEqual(['accept', []]);
    const little = tiff[0] === 0x49;
    const directory = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
    // The first entry becomes "reduced version of another image", as in NEF, ARW and DNG.
    const entry = little ? [254, 0, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0] : [0, 254, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1];
    Buffer.from(entry).copy(tiff, directory + 2);
    const { photos } = await run(source('a.dng', tiff));
    expect(photos[0]?.findings[0]?.message).toContain('unsupported format raw');
  });

  test('a file with too many bytes without reading it, and an unreadable file', async () => {
    let read = 0;
    const large = {
      file: 'large.jpg',
      bytes: PHOTO_LIMITS.maxBytes + 1,
      read: async () => {
        read += 1;
        return Buffer.alloc(0);
      },
    };
    const locked = { file: 'locked.jpg', bytes: 9, read: async () => ({ unreadable: 'EACCES' }) };
    const { codes } = await run(large, locked);
    expect(codes).toEqual({ 'large.jpg': ['too-many-bytes'], 'locked.jpg': ['unreadable'] });
    expect(read).toBe(0);
  });

  test('nothing if the source fails, but throws its error', async () => {
    const broken = { file: 'a.jpg', bytes: 9, read: () => Promise.reject(new Error('SlowDown')) };
    await expect(run(broken)).rejects.toThrow('SlowDown');
  });
});

test('ignores files that are not photos and does not count them', async () => {
  const names = ['.DS_Store', 'Thumbs.db', 'desktop.ini', '._a.jpg', 'subject.json', 'notes.md', 'a.AAE'];
  const { photos, set } = await run(...names.map((name) => source(name, Buffer.from('something'))));
  expect(photos.map(({ verdict }) => verdict)).toEqual(names.map(() => 'ignore'));
  expect(set.map(({ message }) => message)[0]).toContain('0 of 0 photos');
});

test('creates references as upright sRGB PNGs without metadata, in name order, at most 2048 pixels long', async () => {
  const large = await scene(30, 2600, 1300)
    .withExif({ IFD0: { Copyright: 'me' }, IFD3: { GPSLatitudeRef: 'N' } })
    .withIccProfile('p3')
    .jpeg()
    .toBuffer();
  expect((await sharp(large).metadata()).exif).toBeDefined();
  const sources = [
    source('c.jpg', large),
    source('B.jpg', await scene(31).jpeg().toBuffer()),
    source('a.jpg', Buffer.alloc(0)),
    source('b.jpg', await scene(32).jpeg().toBuffer()),
  ];
  const first = await run(...sources);
  expect(first.references.map(({ name, file }) => [name, file])).toEqual([
    ['reference-00.png', 'B.jpg'],
    ['reference-01.png', 'b.jpg'],
    ['reference-02.png', 'c.jpg'],
  ]);
  const metadata = await sharp(first.png['c.jpg']).metadata();
  expect([metadata.format, metadata.width, metadata.height]).toEqual(['png', 2048, 1024]);
  expect([metadata.space, metadata.channels, metadata.depth]).toEqual(['srgb', 3, 'uchar']);
  for (const key of ['exif', 'icc', 'xmp', 'iptc', 'orientation', 'comments'] as const) {
    expect(metadata[key]).toBeUndefined();
  }
  const again = await run(...[...sources].reverse());
  expect(again.references).toEqual(first.references);
});
