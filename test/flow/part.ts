import { isLong } from '../long.ts';
import type { StoreChoice } from '../stores.ts';

/** Whether the flow runs in all faces, and with rows that no store sees: in a normal run on SQLite alone, in our own server. */
export const isWhole = ({ users, sessions, ownTable = false, mounted = false }: StoreChoice) =>
  isLong || (users === 'SQLite' && sessions === 'SQL' && !ownTable && !mounted);

/** The faces of an action to show on these stores. Elsewhere than where the flow is whole, a page and a program show the same. */
export const facesOn = <Face>(stores: StoreChoice, faces: readonly Face[]): readonly Face[] =>
  isWhole(stores) ? faces : faces.filter((_, index) => index === 0 || index === faces.length - 1);
