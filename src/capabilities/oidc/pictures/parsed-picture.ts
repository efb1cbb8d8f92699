import type { FieldFault } from '../../../core/access/refusal.ts';

/** Pixels of the widest and the highest picture (ASVS 5.2.6). */
export const mostPixels = 512;

/** Refuses a file. `readPicture` names the field. */
export class BrokenPicture extends Error {
  readonly fault: Omit<FieldFault, 'field'>;

  constructor(code: FieldFault['code'], values?: FieldFault['values']) {
    super(code);
    this.fault = { code, ...(values && { values }) };
  }
}

export function requireThat(holds: boolean, otherwise: FieldFault['code'] = 'not-a-picture'): void {
  if (!holds) throw new BrokenPicture(otherwise);
}

/** Required before anything is unpacked: a small file may declare more pixels than a browser has memory for. */
export function requireSmall(width: number, height: number): void {
  requireThat(width > 0 && height > 0);
  if (Math.max(width, height) > mostPixels)
    throw new BrokenPicture('picture-too-wide', { count: mostPixels, width, height });
}
