import { type Tell, tellIn, tellInEnglish } from '../ground/languages/sentences.ts';
import type { Request } from './types.ts';

/** Chooses the language of events and findings: that of the page, or English for JSON. */
export const tellOf = ({ format, language }: Pick<Request, 'format' | 'language'>): Tell =>
  format === 'html' ? tellIn(language) : tellInEnglish;
