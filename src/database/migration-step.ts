import type { CreateTableBuilder } from 'kysely';
import type { Kysely } from './kysely.ts';

/** Gives a table the engine's way to compare keys byte by byte: MySQL's usual collations take a for A. */
export type Finish = <Name extends string, Column extends string>(
  table: CreateTableBuilder<Name, Column>,
) => CreateTableBuilder<Name, Column>;

/**
 * One step of the schema. One that was released is never changed. MySQL commits each statement by itself, so that a step must also work
 * where it was cut off before.
 */
export type MigrationStep = (
  db: Kysely<unknown>,
  finish: Finish,
  hasColumn: (table: string, column: string) => Promise<boolean>,
) => Promise<void>;
