/** Prose with code in backticks, as the library's remedies are written, in pieces. */

export interface Piece {
  text: string;
  code: boolean;
}

export function pieces(prose: string): Piece[] {
  // A number and its unit stay on one line.
  const parts = prose.replace(/(?<=\d) (?=dB\b)/g, "\u202f").split("`");
  // Without its partner the last backtick is only a character.
  if (parts.length % 2 === 0) parts.splice(-2, 2, parts.slice(-2).join("`"));
  return parts.flatMap((text, index) => (text === "" ? [] : [{ text, code: index % 2 === 1 }]));
}
