/** Code in pieces that a narrow page may break, and that together are the code to the letter. */

export interface Line {
  /** Spaces before the first word. */
  indent: string;
  /** Words with the spaces behind them; each in parts, between which a long word may be broken. */
  words: string[][];
}

/** The lines of `code`, each with its end. */
export function linesOf(code: string): Line[] {
  return code.split(/(?<=\n)/).map((line) => {
    const indent = /^ */.exec(line)![0];
    const words = line.slice(indent.length).split(/(?<= )(?! )/);
    // Behind what opens or joins; the point of a number is neither.
    return { indent, words: words.map((word) => word.split(/(?<=[=(]|[A-Za-z_]\.)/)) };
  });
}
