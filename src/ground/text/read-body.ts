/** Reads a body. @param mostBytes of the longest one @throws {Error} if it is longer: the rest is not read */
export async function readBody(chunks: AsyncIterable<Uint8Array>, mostBytes: number): Promise<Buffer<ArrayBuffer>> {
  const read: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    // Leaving the loop closes the connection.
    if (size > mostBytes) throw new Error(`the response has more than ${mostBytes} bytes`);
    read.push(chunk);
  }
  return Buffer.concat(read);
}
