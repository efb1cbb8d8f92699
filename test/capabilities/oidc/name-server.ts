import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A query (RFC 1035 4.1.2). The type is 1 for IPv4, 28 for IPv6. */
interface Query {
  readonly name: string;
  readonly type: number;
}

/** The code of a name that is not there (RFC 1035 4.1.1). */
const nameError = 3;

/** Reads the question, which comes after the header of twelve bytes. */
function readQuestion(message: Buffer): Query & { readonly end: number } {
  const labels: string[] = [];
  let position = 12;
  for (let length = message.readUInt8(position); length > 0; length = message.readUInt8(position)) {
    labels.push(message.toString('latin1', position + 1, position + 1 + length));
    position += length + 1;
  }
  return { name: labels.join('.'), type: message.readUInt16BE(position + 1), end: position + 5 };
}

const bytesOf = (address: string): Buffer =>
  address.includes(':')
    ? Buffer.concat([Buffer.from(address.replaceAll(':', ''), 'hex')])
    : Buffer.from(address.split('.').map(Number));

/**
 * A name server on loopback.
 * @param answer gives the addresses of a name, IPv6 ones in full. Undefined: it never answers. None: the name is not there
 */
export async function startNameServer(answer: (query: Query) => readonly string[] | undefined) {
  const socket = createSocket('udp4');
  const asked: Query[] = [];
  socket.on('message', (message, { port, address }) => {
    const { name, type, end } = readQuestion(message);
    asked.push({ name, type });
    const addresses = answer({ name, type });
    if (addresses === undefined) return;
    const header = Buffer.from(message.subarray(0, 12));
    header.writeUInt16BE(0x8180 | (addresses.length === 0 ? nameError : 0), 2);
    header.writeUInt16BE(addresses.length, 6);
    header.writeUInt32BE(0, 8);
    const records = addresses.map(bytesOf).map((bytes) => {
      const record = Buffer.alloc(12);
      // The name is that of the question.
      record.writeUInt16BE(0xc00c, 0);
      record.writeUInt16BE(type, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt32BE(60, 6);
      record.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([record, bytes]);
    });
    socket.send(Buffer.concat([header, message.subarray(12, end), ...records]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    socket,
    [Symbol.dispose]: () => void socket.close(),
  };
}
