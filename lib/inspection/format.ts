/**
 * Detects the format of a file from its first bytes, because names are unreliable. Decoders only get formats that
 * were recognized here: an SVG, for example, never reaches a parser.
 */

/** The name of the format, supported or not; undefined if the content is not a known image or video format. */
export function sniffFormat(content: Uint8Array): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, Math.min(content.byteLength, 4096));
  const text = bytes.toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(text)) return 'gif';
  if (/^RIFF[\s\S]{4}WEBP/.test(text)) return 'webp';
  if (/^(II\*\0|MM\0\*|II\+\0|MM\0\+)/.test(text)) return isRaw(content) ? 'raw' : 'tiff';
  if (text.slice(4, 8) === 'ftyp') return isoMediaFormat(bytes);
  if (text.startsWith('\xff\x0a') || text.startsWith('\0\0\0\x0cJXL ')) return 'jxl';
  if (text.startsWith('\0\0\0\x0cjP  ')) return 'jp2';
  if (text.startsWith('8BPS')) return 'psd';
  if (text.startsWith('%PDF-')) return 'pdf';
  if (text.startsWith('FUJIFILM') || text.startsWith('FOVb')) return 'raw';
  // Text may begin with 'BM' too; the reserved bytes and the minimum length are those of a bitmap.
  if (text.startsWith('BM') && bytes.length > 26 && bytes.readUInt32LE(6) === 0) return 'bmp';
  if (isSvg(bytes)) return 'svg';
  return undefined;
}

/** ISO media files: photos and videos share the container and are distinguished by the brands. */
function isoMediaFormat(bytes: Buffer): string {
  const length = Math.min(bytes.readUInt32BE(0), bytes.length);
  const brands = [bytes.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= length; at += 4) brands.push(bytes.toString('latin1', at, at + 4));
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'avif';
  if (brands.some((brand) => /^(he[iv][cxms]|mif1|msf1)$/.test(brand))) return 'heic';
  return brands[0] === 'crx ' ? 'raw' : 'video';
}

const SUBFILE_TYPE = 254;
const DNG_VERSION = 50706;

/**
 * Checks if a TIFF is a camera's raw file. The first image of a raw file is a small preview, which a TIFF decoder
 * would silently use as the photo.
 */
function isRaw(content: Uint8Array): boolean {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const little = view.getUint8(0) === 0x49;
  if (view.byteLength < 16) return false;
  if (view.getUint8(8) === 0x43 && view.getUint8(9) === 0x52) return true; // Canon's CR2
  const start = view.getUint32(4, little);
  if (start + 2 > view.byteLength) return false;
  const entries = view.getUint16(start, little);
  for (let i = 0; i < entries; i += 1) {
    const entry = start + 2 + 12 * i;
    if (entry + 12 > view.byteLength) return false;
    const tag = view.getUint16(entry, little);
    if (tag === DNG_VERSION) return true;
    if (tag === SUBFILE_TYPE && (view.getUint32(entry + 8, little) & 1) === 1) return true;
  }
  return false;
}

function isSvg(bytes: Buffer): boolean {
  const text = bytes.toString(bytes[0] === 0xff || bytes[1] === 0 ? 'utf16le' : 'utf8');
  return /^\uFEFF?\s*(<\?xml|<!--|<!DOCTYPE\s+svg|<svg)/i.test(text) && /<svg[\s>]/i.test(text);
}
