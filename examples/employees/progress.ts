import { clearLine, cursorTo } from 'node:readline';

const barWidth = 30;

/** Number of lines for the whole, if the output is not a terminal. */
const lines = 10;

export interface Progress {
  /** @param done the part of `total` that is done */
  advance(done: number): void;
  end(): void;
}

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Shows progress as a bar on a terminal, or as plain lines elsewhere. */
export function createProgress(total: number, stream: Output): Progress {
  const count = new Intl.NumberFormat('en');
  let shown = 0;

  function draw(done: number): void {
    const filled = Math.floor((done / total) * barWidth);
    cursorTo(stream, 0);
    stream.write(`[${'#'.repeat(filled).padEnd(barWidth, '.')}] ${count.format(done)} of ${count.format(total)}`);
    clearLine(stream, 1);
  }

  return {
    advance(done) {
      if (stream.isTTY) draw(done);
      else if (Math.floor((done / total) * lines) > Math.floor((shown / total) * lines))
        stream.write(`${count.format(done)} of ${count.format(total)}\n`);
      shown = done;
    },
    end() {
      if (stream.isTTY && shown > 0) stream.write('\n');
    },
  };
}
