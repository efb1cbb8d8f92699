import { isDuplicate } from './errors.ts';

/** Inserts a row unless there is one with its key already. Tells whether it was inserted. */
export async function insertNew(insert: { execute(): Promise<unknown> }): Promise<boolean> {
  try {
    await insert.execute();
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
