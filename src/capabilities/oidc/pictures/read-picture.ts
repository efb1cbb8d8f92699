import { hash } from 'node:crypto';
import { InvalidFields } from '../../../core/access/refusal.ts';
import { BrokenPicture } from './parsed-picture.ts';
import { pngStart, readPng } from './png.ts';
import { readWebp } from './webp.ts';

/** Bytes of the largest picture (ASVS 5.2.1). */
export const mostPictureBytes = 256 * 1024;

/** A picture that was judged, without the parts that no browser needs to show it. */
export interface Picture {
  /** SHA-256 of the bytes (base64url). The address of the picture has it. */
  readonly hash: string;
  readonly bytes: Buffer;
}

type PictureType = 'image/png' | 'image/webp';

/** Finds the format by its signature. The name and the declared type of an uploaded file do not count (ASVS 5.2.2). */
export function typeOfPicture(bytes: Buffer): PictureType | undefined {
  const start = bytes.toString('latin1', 0, 12);
  if (start.startsWith(pngStart)) return 'image/png';
  return start.startsWith('RIFF') && start.endsWith('WEBP') ? 'image/webp' : undefined;
}

const readers: Readonly<Record<PictureType, (file: Buffer) => Buffer>> = {
  'image/png': readPng,
  'image/webp': readWebp,
};

/**
 * Judges a file that an administrator wants to show to users, and keeps the parts that show it. Texts, places and times that cameras and
 * programs add are left out, because everyone can load the picture.
 * @throws {InvalidFields} with the reason
 */
export function readPicture(file: Buffer): Picture {
  try {
    if (file.length > mostPictureBytes)
      throw new BrokenPicture('picture-too-large', { count: mostPictureBytes / 1024 });
    const type = typeOfPicture(file);
    if (type === undefined) throw new BrokenPicture('not-a-picture');
    const bytes = readers[type](file);
    return { hash: hash('sha256', bytes, 'base64url'), bytes };
  } catch (error) {
    if (error instanceof BrokenPicture) throw new InvalidFields({ field: 'picture', ...error.fault });
    throw error;
  }
}
