import { requireSmall, requireThat } from './parsed-picture.ts';

const start = 12;

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  /** The chunk with its header, and the byte that makes its length even. */
  readonly whole: Buffer;
}

/** Reads the chunks of a RIFF file. Each must be as long as it says, and nothing may follow the last one. @throws {BrokenPicture} */
function readChunks(file: Buffer): readonly Chunk[] {
  requireThat(file.readUInt32LE(4) + 8 >= file.length, 'picture-trailing');
  requireThat(file.readUInt32LE(4) + 8 === file.length);
  const chunks: Chunk[] = [];
  for (let at = start; at < file.length; at += chunks.at(-1)?.whole.length ?? 0) {
    requireThat(at + 8 <= file.length);
    const length = file.readUInt32LE(at + 4);
    const end = at + 8 + length + (length % 2);
    requireThat(end <= file.length);
    const data = file.subarray(at + 8, at + 8 + length);
    chunks.push({ type: file.toString('latin1', at, at + 4), data, whole: file.subarray(at, end) });
  }
  return chunks;
}

/** Reads the size in the image itself (RFC 6386 9.1; RFC 9649 3.4), which is what a browser unpacks. @throws {BrokenPicture} */
function sizeOf({ type, data }: Chunk): readonly [width: number, height: number] {
  requireThat(data.length >= (type === 'VP8L' ? 5 : 10));
  if (type === 'VP8L') {
    const bits = data.readUInt32LE(1);
    requireThat(data[0] === 0x2f && bits >>> 29 === 0);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  const isKeyFrame = (data.readUInt8(0) & 1) === 0;
  requireThat(isKeyFrame && data.toString('latin1', 3, 6) === '\x9d\x01\x2a');
  return [data.readUInt16LE(6) & 0x3fff, data.readUInt16LE(8) & 0x3fff];
}

/** Bits of the extended header (RFC 9649 2.7): there is transparency, there are several frames. */
const flags = { alpha: 0x10, animation: 0x02 };

/** Judges the extended header, and returns it without the parts that are left out. @throws {BrokenPicture} */
function readExtended({ data, whole }: Chunk, width: number, height: number): Buffer {
  requireThat(data.length === 10);
  requireThat((data.readUInt8(0) & flags.animation) === 0, 'picture-animated');
  requireThat(data.readUIntLE(4, 3) + 1 === width && data.readUIntLE(7, 3) + 1 === height);
  const header = Buffer.from(whole);
  header.writeUInt8(data.readUInt8(0) & flags.alpha, 8);
  return header;
}

/** Judges a WebP file (RFC 9649), and returns it with only the chunks that show it. @throws {BrokenPicture} */
export function readWebp(file: Buffer): Buffer {
  const chunks = readChunks(file);
  requireThat(!chunks.some(({ type }) => type === 'ANIM' || type === 'ANMF'), 'picture-animated');
  const images = chunks.filter(({ type }) => type === 'VP8 ' || type === 'VP8L');
  const [first, [image]] = [chunks[0], images];
  requireThat(images.length === 1);
  if (first === undefined || image === undefined) return file;
  const [width, height] = sizeOf(image);
  requireSmall(width, height);
  requireThat(first === image || first.type === 'VP8X');
  const alpha = first === image ? [] : chunks.filter(({ type }) => type === 'ALPH').slice(0, 1);
  const extended = first === image ? [] : [readExtended(first, width, height)];
  const parts = [...extended, ...alpha.map(({ whole }) => whole), image.whole];
  const header = Buffer.from(file.subarray(0, start));
  header.writeUInt32LE(
    parts.reduce((size, { length }) => size + length, start - 8),
    4,
  );
  return Buffer.concat([header, ...parts]);
}
