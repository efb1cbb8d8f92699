import { type Translate, textsIn } from '../ground/languages/speech.ts';
import type { Request } from './types.ts';

/** Chooses the language of events and findings: that of the page, or English for JSON. */
export const tellOf = ({ format, language }: Pick<Request, 'format' | 'language'>): Translate =>
  textsIn(format === 'html' ? language : 'en').tell;
