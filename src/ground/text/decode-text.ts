import { isUtf8 } from 'node:buffer';

/**
 * Reads a text file as spreadsheets save it: UTF-8, UTF-16 if it begins with a byte order mark, otherwise Windows-1252. Removes the byte
 * order mark.
 */
export function decodeText(bytes: Buffer): string {
  const encoding = utf16Of(bytes.toString('latin1', 0, 2)) ?? (isUtf8(bytes) ? 'utf-8' : 'windows-1252');
  return new TextDecoder(encoding).decode(bytes);
}

/** Returns the kind of UTF-16 that a byte order mark indicates. Undefined for other bytes. @param start two bytes, as Latin-1 */
export function utf16Of(start: string): 'utf-16le' | 'utf-16be' | undefined {
  if (start === '\xff\xfe') return 'utf-16le';
  return start === '\xfe\xff' ? 'utf-16be' : undefined;
}
