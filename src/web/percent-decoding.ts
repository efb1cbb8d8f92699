/** Decodes each percent escape to one character for its byte. A percent sign without two hexadecimal digits stays. */
export const percentDecoded = (text: string): string =>
  text.replaceAll(/%([\da-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
