import { type Translate, tellInEnglish, translateIn } from '../ground/languages/sentences.ts';
import type { Request } from './types.ts';

/** Chooses the language of events and findings: that of the page, or English for JSON. */
export const tellOf = ({ format, language }: Pick<Request, 'format' | 'language'>): Translate =>
  format === 'html' ? translateIn(language) : tellInEnglish;
