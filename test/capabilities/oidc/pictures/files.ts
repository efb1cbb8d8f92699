import { crc32, deflateSync } from 'node:zlib';

type Part = readonly [type: string, data: Uint8Array];

const pngChunk = ([type, data]: Part): Buffer => {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, checksum]);
};

export const pngOf = (...parts: readonly Part[]): Buffer =>
  Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts.map(pngChunk)]);

/** A header: width, height, and then depth, colour type and interlace. */
export function headerOf(
  width: number,
  height: number,
  [depth, colour, interlace]: readonly number[] = [8, 6, 0],
): Part {
  const data = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth ?? 8, colour ?? 6, 0, 0, interlace ?? 0]);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  return ['IHDR', data];
}

export const pixels = (bytes: number): Part => ['IDAT', deflateSync(Buffer.alloc(bytes))];
export const end: Part = ['IEND', Buffer.alloc(0)];

/** A square PNG of grey. @param brightness of each pixel, by its place, or of all */
export function square(side: number, brightness: number | ((place: number) => number) = 0): Buffer {
  const rows = Array.from({ length: side }, (_, row) => [
    0,
    ...Array.from({ length: side }, (_, column) =>
      typeof brightness === 'number' ? brightness : brightness(row * side + column),
    ),
  ]);
  return pngOf(headerOf(side, side, [8, 0, 0]), ['IDAT', deflateSync(Buffer.from(rows.flat()))], end);
}

/** Chunks of the RIFF format. @param length said of the file, in place of the real one */
export function webpOf(parts: readonly Part[], length?: number): Buffer {
  const chunks = parts.map(([type, data]) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(type, 'latin1'), size, data, Buffer.alloc(data.length % 2)]);
  });
  const body = Buffer.concat([Buffer.from('WEBP'), ...chunks]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(length ?? body.length);
  return Buffer.concat([Buffer.from('RIFF'), size, body]);
}

const base64 = (text: string) => Buffer.from(text, 'base64');

/** Chunks that Chromium made of 5 × 3 pixels. */
export const lossy: Part = ['VP8 ', base64('sAEAnQEqBQADAAVAfCWIAnQBDv4C7AD+3ccHjHhFLRpwzjQsQAA=')];
export const lossless: Part = ['VP8L', base64('LwSAABAXIJBN8RdHcyyQTfEXRwMU8KcYjYj+RwU=')];
const alpha: Part = ['ALPH', base64('ARcwQBERxmhE9D8q')];

/** The extended header. @param flags 0x10: transparency; 0x02: animation; 0x20, 0x08, 0x04: colours, camera, texts */
export const extended = (flags: number, width = 5, height = 3): Part => [
  'VP8X',
  Buffer.from([flags, 0, 0, 0, width - 1, (width - 1) >> 8, 0, height - 1, (height - 1) >> 8, 0]),
];

export const transparent: readonly Part[] = [extended(0x3c), ['ICCP', Buffer.alloc(3)], alpha, lossy];
export const shownOfTransparent: readonly Part[] = [extended(0x10), alpha, lossy];
