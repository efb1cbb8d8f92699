/** A fault of the whole text, after which nothing of it can be trusted. */
export class MalformedJson extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** A value of the outermost object, or an element of a list there. */
export interface JsonPart {
  readonly key: string;
  /** The number of the line on which it begins, from 1. */
  readonly line: number;
  /** Undefined if it is longer than it may be, or no UTF-8. */
  readonly text: string | undefined;
}

/** The longest key of the outermost object, in bytes. */
const longestKey = 200;

/** How deep arrays and objects may lie in each other. */
const deepest = 100;

const byte = (letter: string) => letter.charCodeAt(0);
const [quote, backslash, comma, colon, lineFeed] = [byte('"'), byte('\\'), byte(','), byte(':'), byte('\n')];
/** In ASCII, the closing ones are two places further. */
const [brace, bracket] = [byte('{'), byte('[')];
const closerOf = (code: number) => code + 2;
const byteOrderMark = Buffer.from('\ufeff');
const isBlank = (code: number) => code === 32 || (code >= 9 && code <= 13);

/** Gathers the bytes of one part across chunks. */
function createPart(key: string, line: number, most: number) {
  const pieces: Buffer[] = [];
  let size = 0;
  return {
    add(piece: Buffer): void {
      size += piece.length;
      // The chunk is used again for the bytes that follow, so they are copied.
      if (size <= most) pieces.push(Buffer.from(piece));
      else pieces.length = 0;
    },
    end(): JsonPart {
      try {
        const text = size <= most ? new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)) : undefined;
        return { key, line, text };
      } catch {
        return { key, line, text: undefined };
      }
    },
  };
}

/**
 * Finds the parts of one JSON object. The object may be of any length: only the part that is being read is in memory. It checks how braces
 * and quotes fit. `JSON.parse` has to check each part.
 * @param wanted the keys to return, each with the bytes of its longest part. A list is returned element by element
 * @throws {MalformedJson} if the text is cut off, is no JSON object, or has a wanted key twice
 */
export async function* readJsonParts(
  input: AsyncIterable<Buffer>,
  wanted: ReadonlyMap<string, number>,
): AsyncGenerator<JsonPart> {
  const scanner = createScanner(wanted);
  for await (const chunk of input) yield* scanner.scan(chunk);
  scanner.end();
}

function createScanner(wanted: ReadonlyMap<string, number>) {
  /** The closing bytes that are awaited. */
  const open: number[] = [];
  const seen = new Set<string>();
  let line = 1;
  let isInString = false;
  let isEscaped = false;
  let isOver = false;
  let isKeyNext = true;
  let key = '';
  let keyBytes: number[] | undefined;
  /** The depth at which parts of the present key begin: 1 for a value, 2 for the elements of a list. 0: they are not wanted. */
  let partDepth = 0;
  let part: ReturnType<typeof createPart> | undefined;
  let start = 0;
  /** The parts that have ended in the present chunk. */
  let ended: JsonPart[] = [];

  const failed = (message: string) => new MalformedJson(line, message);

  function beginKey(): void {
    if (wanted.has(key) && seen.has(key)) throw failed(`it has "${key}" twice`);
    seen.add(wanted.has(key) ? key : '');
    partDepth = wanted.has(key) ? 1 : 0;
  }

  function endPart(chunk: Buffer, index: number): void {
    if (part === undefined || open.length !== partDepth) return;
    part.add(chunk.subarray(start, index));
    ended.push(part.end());
    part = undefined;
  }

  function beginPart(index: number): void {
    if (part !== undefined || partDepth === 0 || open.length !== partDepth) return;
    part = createPart(key, line, wanted.get(key) ?? 0);
    start = index;
  }

  function opened(code: number, index: number): void {
    if (isOver) throw failed('more follows after its end');
    if (open.length === 0 && code !== brace) throw failed('it is a list, and should be one object');
    if (partDepth === 1 && open.length === 1 && part === undefined && code === bracket) partDepth = 2;
    else beginPart(index);
    if (open.length >= deepest) throw failed('it is nested too deeply');
    open.push(closerOf(code));
  }

  function closed(code: number, chunk: Buffer, index: number): void {
    endPart(chunk, index);
    if (open.pop() !== code) throw failed('its brackets do not fit');
    if (open.length === 1 && partDepth === 2) partDepth = 0;
    if (open.length === 0) isOver = true;
  }

  function separated(code: number, chunk: Buffer, index: number): void {
    endPart(chunk, index);
    if (open.length !== 1) return;
    if (code === colon && isKeyNext) beginKey();
    isKeyNext = code === comma;
    if (isKeyNext) partDepth = 0;
  }

  function inString(code: number): void {
    if (isEscaped) isEscaped = false;
    else if (code === backslash) isEscaped = true;
    else if (code === quote) {
      isInString = false;
      if (keyBytes === undefined) return;
      key = Buffer.from(keyBytes).toString('utf8');
      keyBytes = undefined;
      return;
    }
    if (keyBytes !== undefined && keyBytes.push(code) > longestKey) throw failed('a key is too long');
  }

  function atByte(code: number, chunk: Buffer, index: number): void {
    if (code === brace || code === bracket) opened(code, index);
    else if (code === closerOf(brace) || code === closerOf(bracket)) closed(code, chunk, index);
    else if (open.length === 0) {
      if (isOver) throw failed('more follows after its end');
      if (!byteOrderMark.includes(code)) throw failed('it is no JSON');
    } else if (code === comma || code === colon) separated(code, chunk, index);
    else {
      beginPart(index);
      if (code !== quote) return;
      isInString = true;
      if (open.length === 1 && isKeyNext) keyBytes = [];
    }
  }

  return {
    /** Returns the parts that end in this chunk. */
    scan(chunk: Buffer): readonly JsonPart[] {
      start = 0;
      ended = [];
      for (let index = 0; index < chunk.length; index += 1) {
        const code = chunk[index] ?? 0;
        if (code === lineFeed) line += 1;
        if (isInString) inString(code);
        else if (!isBlank(code)) atByte(code, chunk, index);
      }
      part?.add(chunk.subarray(start));
      return ended;
    },

    end(): void {
      if (!isOver) throw failed(open.length === 0 ? 'it is empty' : 'it ends in the middle, so it was cut off');
    },
  };
}
