import type { Language } from '../../../src/ground/languages/languages.ts';

/** The languages that have every text. Others show English for what they lack. */
export const completeLanguages: readonly Language[] = ['en', 'de', 'fr', 'es', 'vi'];
