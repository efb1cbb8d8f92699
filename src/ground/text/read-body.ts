/** Reads the body of a response. @throws {Error} if the body has more than `mostBytes`. The rest is not read */
export async function readBody(chunks: AsyncIterable<Uint8Array>, mostBytes: number): Promise<Buffer<ArrayBuffer>> {
  const read: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    // The exception ends the loop, which closes the connection.
    if (size > mostBytes) throw new Error(`the response has more than ${mostBytes} bytes`);
    read.push(chunk);
  }
  return Buffer.concat(read);
}
