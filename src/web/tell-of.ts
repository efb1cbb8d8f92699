import { type Tell, tellIn, tellInEnglish } from '../ground/languages/sentences.ts';
import type { Request } from './types.ts';

/** How a request is told of events and findings: pages speak its language, and JSON English. */
export const tellOf = ({ format, language }: Pick<Request, 'format' | 'language'>): Tell =>
  format === 'html' ? tellIn(language) : tellInEnglish;
