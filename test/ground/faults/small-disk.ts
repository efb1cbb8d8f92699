import { execFileSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createTemporaryFolder } from '../../servers/process-end.ts';

/** A disk of a few megabytes, in memory. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Fills the disk to the last byte. */
  fill(): Promise<void>;
  clear(): Promise<void>;
}

export const mayMount = () => process.platform === 'linux' && process.getuid?.() === 0;

export async function createSmallDisk(megabytes: number): Promise<SmallDisk> {
  const temporary = createTemporaryFolder('small-disk');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0777`, 'tmpfs', temporary.path]);
  const filler = join(temporary.path, 'filler');
  return {
    folder: temporary.path,
    async fill() {
      const file = await open(filler, 'a');
      // In smaller and smaller steps, down to the last byte.
      for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
        const chunk = Buffer.alloc(size);
        try {
          for (;;) await file.appendFile(chunk);
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
        }
      }
      await file.close();
    },
    clear: () => rm(filler),
    async [Symbol.asyncDispose]() {
      execFileSync('umount', ['--lazy', temporary.path]);
      temporary.remove();
    },
  };
}
