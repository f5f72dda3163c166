/** How the page says what a trial's seeds tell of a contestant. */

import type { Contestant } from "./contract";

interface Words {
  sign: string;
  words: string;
}

export const STANDINGS: Readonly<Record<NonNullable<Contestant["standing"]>, Words>> = {
  best: { sign: "★", words: "best" },
  first: { sign: "≈", words: "first, but not told apart" },
  few: { sign: "≈", words: "first; too few seeds to tell" },
  alike: { sign: "≈", words: "not told apart from the first" },
};
