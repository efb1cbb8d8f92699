import { crc32, inflateSync } from 'node:zlib';
import { BrokenPicture, requireSmall, requireThat } from './parsed-picture.ts';

/** The first bytes of each file (PNG 5.2), in Latin-1. */
export const pngStart = '\x89PNG\r\n\x1a\n';

/** The chunks that show the picture. Others hold texts, places and times, or the frames of an animation. */
const kept: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'tRNS', 'gAMA', 'sRGB', 'IDAT', 'IEND']);

/** Numbers of a pixel's samples, and their allowed depths in bits, by the colour type (PNG 11.2.1). */
const colours: Readonly<Record<number, { readonly samples: number; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** The first column and row of each pass, and the steps between its columns and rows (Adam7, PNG 8). */
const passes = {
  none: [[0, 0, 1, 1]],
  adam7: [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ],
} as const;

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  /** The chunk with its length and its checksum. */
  readonly whole: Buffer;
}

/** Reads the chunks. Each must be as long as it says, and nothing may follow the last one. @throws {BrokenPicture} */
function readChunks(file: Buffer): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let at = pngStart.length;
  while (chunks.at(-1)?.type !== 'IEND') {
    requireThat(at + 12 <= file.length);
    const end = at + 12 + file.readUInt32BE(at);
    requireThat(end <= file.length);
    const whole = file.subarray(at, end);
    requireThat(crc32(whole.subarray(4, -4)) === whole.readUInt32BE(whole.length - 4));
    chunks.push({ type: whole.toString('latin1', 4, 8), data: whole.subarray(8, -4), whole });
    at = end;
  }
  requireThat(at === file.length && chunks.at(-1)?.data.length === 0, 'picture-trailing');
  return chunks;
}

/** Reads the header, and returns the number of bytes that the picture unpacks to. @throws {BrokenPicture} */
function readHeader({ type, data }: Chunk): number {
  requireThat(type === 'IHDR' && data.length === 13);
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
  requireSmall(width, height);
  const [depth = 0, colour = 0, compression, filter, interlace = 0] = data.subarray(8);
  const { samples, depths } = colours[colour] ?? { samples: 0, depths: [] };
  requireThat(depths.includes(depth) && compression === 0 && filter === 0 && interlace <= 1);
  return passes[interlace === 0 ? 'none' : 'adam7'].reduce((size, [left, top, across, down]) => {
    const columns = Math.max(0, Math.ceil((width - left) / across));
    const rows = Math.max(0, Math.ceil((height - top) / down));
    return columns === 0 ? size : size + rows * (1 + Math.ceil((columns * samples * depth) / 8));
  }, 0);
}

/** Unpacks the pixels, which must be as many as the header says. @throws {BrokenPicture} */
function requirePixels(packed: Buffer, size: number): void {
  const { buffer, engine } = unpack(packed, size);
  requireThat(buffer.length === size);
  requireThat(engine.bytesWritten === packed.length, 'picture-trailing');
}

function unpack(packed: Buffer, size: number) {
  try {
    // With `info`, the result tells how many of the packed bytes were used. Its declared type does not have this.
    return inflateSync(packed, { maxOutputLength: size, info: true }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
  } catch {
    throw new BrokenPicture('not-a-picture');
  }
}

/** Judges a PNG file, and returns it with only the chunks that show it. @throws {BrokenPicture} */
export function readPng(file: Buffer): Buffer {
  const chunks = readChunks(file);
  const [header, ...others] = chunks;
  requireThat(header !== undefined && others.every(({ type }) => type !== 'IHDR'));
  const size = header === undefined ? 0 : readHeader(header);
  requireThat(!others.some(({ type }) => ['acTL', 'fcTL', 'fdAT'].includes(type)), 'picture-animated');
  requirePixels(Buffer.concat(others.filter(({ type }) => type === 'IDAT').map(({ data }) => data)), size);
  return Buffer.concat([
    file.subarray(0, pngStart.length),
    ...chunks.filter(({ type }) => kept.has(type)).map(({ whole }) => whole),
  ]);
}
