/** Finds the word that is most similar to the typed word. Undefined if every word differs by more mistakes than `most`. */
export function findNearest(words: readonly string[], typed: string, most: number): string | undefined {
  for (let mistakes = 0; mistakes <= most; mistakes += 1) {
    const found = words.find((word) => isNear(typed, word, mistakes));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Tells whether two words differ by at most so many mistakes: a letter that is missing, extra, wrong, or swapped with the next one. */
function isNear(typed: string, meant: string, mistakes: number): boolean {
  if (typed === meant) return true;
  if (mistakes === 0) return false;
  let same = 0;
  while (typed[same] === meant[same]) same += 1;
  const [a, b] = [typed.slice(same), meant.slice(same)];
  const goesOn = (skipped: number, left: number) => isNear(a.slice(skipped), b.slice(left), mistakes - 1);
  const isSwapped = a.length > 1 && a[0] === b[1] && a[1] === b[0];
  return goesOn(0, 1) || goesOn(1, 0) || goesOn(1, 1) || (isSwapped && goesOn(2, 2));
}
