import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { readPicture, typeOfPicture } from '../../../../src/capabilities/oidc/pictures/read-picture.ts';
import { InvalidFields } from '../../../../src/core/access/refusal.ts';
import {
  end,
  extended,
  headerOf,
  lossless,
  lossy,
  pixels,
  pngOf,
  shownOfTransparent,
  square,
  transparent,
  webpOf,
} from './files.ts';

const text = Buffer.from('<script>alert(1)</script>');
const small = [headerOf(3, 2), pixels(2 * 13), end] as const;
const [header, data] = small;

/** Changes a byte of a file. */
function broken(file: Buffer, at: number): Buffer {
  const copy = Buffer.from(file);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const accepted: readonly (readonly [what: string, file: Buffer, kept: Buffer])[] = [
  ['a PNG', pngOf(...small), pngOf(...small)],
  ['one of the largest size', square(512), square(512)],
  [
    'grey of one bit',
    pngOf(headerOf(9, 2, [1, 0, 0]), pixels(2 * 3), end),
    pngOf(headerOf(9, 2, [1, 0, 0]), pixels(6), end),
  ],
  [
    'an interlaced one',
    pngOf(headerOf(3, 2, [8, 6, 1]), pixels(5 + 5 + 13 + 5), end),
    pngOf(headerOf(3, 2, [8, 6, 1]), pixels(5 + 5 + 13 + 5), end),
  ],
  [
    'without texts and places',
    pngOf(header, ['tEXt', text], ['eXIf', text], data, ['zTXt', text], end),
    pngOf(...small),
  ],
  ['a lossy WebP', webpOf([lossy]), webpOf([lossy])],
  ['a lossless WebP', webpOf([lossless]), webpOf([lossless])],
  [
    'a transparent WebP, without colours, camera and texts',
    webpOf([...transparent, ['EXIF', text], ['XMP ', text]]),
    webpOf(shownOfTransparent),
  ],
];

for (const [what, file, kept] of accepted)
  test(`a picture is accepted: ${what}`, () => {
    assert.deepEqual(readPicture(file).bytes, kept);
    assert.equal(typeOfPicture(kept), file[0] === 0x89 ? 'image/png' : 'image/webp');
  });

const refused: readonly (readonly [what: string, code: string, file: Buffer])[] = [
  ['nothing', 'not-a-picture', Buffer.alloc(0)],
  ['HTML', 'not-a-picture', Buffer.from('<!doctype html><script>alert(1)</script>')],
  ['SVG', 'not-a-picture', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')],
  ['a GIF', 'not-a-picture', Buffer.from('GIF89a\x01\x00\x01\x00\x00\x00\x00;', 'latin1')],
  ['HTML behind the signature', 'not-a-picture', Buffer.concat([pngOf(), text])],
  ['too many bytes', 'picture-too-large', Buffer.concat([square(8), Buffer.alloc(256 * 1024)])],
  ['a PNG too wide', 'picture-too-wide', pngOf(headerOf(513, 1), pixels(1 + 513 * 4), end)],
  ['a PNG too high', 'picture-too-wide', pngOf(headerOf(1, 513), pixels(5 * 513), end)],
  ['a bomb by its header', 'picture-too-wide', pngOf(headerOf(0x7fffffff, 0x7fffffff), pixels(9), end)],
  ['a bomb by its data', 'not-a-picture', pngOf(header, pixels(100_000_000), end)],
  ['fewer pixels than declared', 'not-a-picture', pngOf(header, pixels(25), end)],
  ['no pixels', 'not-a-picture', pngOf(headerOf(0, 2), pixels(1), end)],
  ['no data', 'not-a-picture', pngOf(header, end)],
  ['data that does not unpack', 'not-a-picture', pngOf(header, ['IDAT', text], end)],
  ['data after the pixels', 'picture-trailing', pngOf(header, ['IDAT', Buffer.concat([data[1], text])], end)],
  ['a PNG with HTML behind it', 'picture-trailing', Buffer.concat([pngOf(...small), text])],
  ['HTML in the last chunk', 'picture-trailing', pngOf(header, data, ['IEND', text])],
  ['an animated PNG', 'picture-animated', pngOf(header, ['acTL', Buffer.alloc(8)], data, end)],
  ['no end', 'not-a-picture', pngOf(header, data)],
  ['a PNG that is cut off', 'not-a-picture', pngOf(...small).subarray(0, -1)],
  ['a chunk longer than the file', 'not-a-picture', broken(pngOf(...small), 8)],
  ['a wrong checksum', 'not-a-picture', broken(pngOf(...small), 30)],
  ['a chunk before the header', 'not-a-picture', pngOf(data, header, end)],
  ['two headers', 'not-a-picture', pngOf(header, header, data, end)],
  ['a depth that there is not', 'not-a-picture', pngOf(headerOf(3, 2, [3, 6, 0]), data, end)],
  ['a colour type that there is not', 'not-a-picture', pngOf(headerOf(3, 2, [8, 1, 0]), data, end)],
  ['a WebP with HTML behind it', 'picture-trailing', Buffer.concat([webpOf([lossy]), text])],
  ['a WebP that is cut off', 'not-a-picture', webpOf([lossy]).subarray(0, -2)],
  ['a WebP that says to be longer', 'not-a-picture', webpOf([lossy], 9999)],
  [
    'an animated WebP',
    'picture-animated',
    webpOf([extended(0x02), ['ANIM', Buffer.alloc(6)], ['ANMF', Buffer.alloc(24)]]),
  ],
  ['an animated WebP by its flag', 'picture-animated', webpOf([extended(0x02), lossy])],
  ['two images', 'not-a-picture', webpOf([lossy, lossless])],
  ['no image', 'not-a-picture', webpOf([extended(0)])],
  ['an image behind another chunk', 'not-a-picture', webpOf([['EXIF', text], lossy])],
  ['a WebP of another size than declared', 'not-a-picture', webpOf([extended(0, 6, 3), lossy])],
  ['a lossy WebP too wide', 'picture-too-wide', webpOf([sized(lossy, 6, 513)])],
  [
    'a lossless WebP too high',
    'picture-too-wide',
    webpOf([['VP8L', Buffer.from([0x2f, 0xff, 0x3f, 0, 0, 0, 0, 0, 0, 0])]]),
  ],
  ['a frame of a film', 'not-a-picture', webpOf([['VP8 ', broken(Buffer.from(lossy[1]), 0)]])],
  ['an image without its start code', 'not-a-picture', webpOf([['VP8 ', broken(Buffer.from(lossy[1]), 3)]])],
  ['an image of a later version', 'not-a-picture', webpOf([sized(lossless, 3, 0x2000)])],
  ['an image that is too short', 'not-a-picture', webpOf([['VP8 ', Buffer.alloc(9)]])],
];

/** Writes a size into an image. */
function sized([type, bytes]: readonly [string, Uint8Array], at: number, value: number) {
  const copy = Buffer.from(bytes);
  copy.writeUInt16LE(value, at);
  return [type, copy] as const;
}

for (const [what, code, file] of refused)
  test(`a picture is refused: ${what}`, () => {
    assert.throws(
      () => readPicture(file),
      (error) => {
        assert.ok(error instanceof InvalidFields);
        assert.deepEqual(
          error.faults.map((fault) => [fault.field, fault.code]),
          [['picture', code]],
        );
        return true;
      },
    );
  });

test('a picture cut off at any byte is refused, and none with a changed byte makes the reader fail', () => {
  for (const file of [pngOf(...small), webpOf([lossy]), webpOf(transparent)]) {
    for (let length = 0; length < file.length; length += 1)
      assert.throws(() => readPicture(file.subarray(0, length)), InvalidFields, String(length));
    for (let at = 0; at < file.length; at += 1)
      for (const bit of [1, 2, 16, 128]) {
        const copy = Buffer.from(file);
        copy[at] = (copy[at] ?? 0) ^ bit;
        try {
          readPicture(copy);
        } catch (error) {
          assert.ok(error instanceof InvalidFields, `${at} ${error}`);
        }
      }
  }
});

test('two files with the same pixels and other texts are one picture', () => {
  const [one, other] = ['a', 'b'].map((word) => readPicture(pngOf(header, ['tEXt', Buffer.from(word)], data, end)));
  assert.equal(one?.hash, other?.hash);
  const another = pngOf(header, ['IDAT', deflateSync(Buffer.alloc(26, 1))], end);
  assert.notEqual(readPicture(another).hash, one?.hash);
});
