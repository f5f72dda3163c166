/** What a patch changes, line by line. */

export interface Change {
  kind: "kept" | "added" | "removed";
  line: string;
}

/**
 * The lines of `after`, with those of `before` that it has not, in the order of a unified diff.
 *
 * By the longest common subsequence of the lines, which of patches of some tens of lines is quick.
 */
export function diffOf(before: string, after: string): Change[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  const common = commonLengths(old, now);
  const changes: Change[] = [];
  let [at, to] = [0, 0];
  while (at < old.length || to < now.length) {
    if (at < old.length && to < now.length && old[at] === now[to]) {
      changes.push({ kind: "kept", line: now[to]! });
      at++;
      to++;
    } else if (at < old.length && (to >= now.length || common[at + 1]![to]! >= common[at]![to + 1]!)) {
      changes.push({ kind: "removed", line: old[at++]! });
    } else {
      changes.push({ kind: "added", line: now[to++]! });
    }
  }
  return changes;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** [old.length + 1][now.length + 1] lengths of the longest common subsequences of the rests. */
function commonLengths(old: readonly string[], now: readonly string[]): number[][] {
  const lengths = old.concat("").map(() => new Array<number>(now.length + 1).fill(0));
  for (let at = old.length - 1; at >= 0; at--) {
    for (let to = now.length - 1; to >= 0; to--) {
      lengths[at]![to] =
        old[at] === now[to]
          ? lengths[at + 1]![to + 1]! + 1
          : Math.max(lengths[at + 1]![to]!, lengths[at]![to + 1]!);
    }
  }
  return lengths;
}
