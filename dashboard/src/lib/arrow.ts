/** How an arrow is drawn through the points that it passes. */

const CORNER = 10;

/**
 * An SVG path: straight along the flow of data and across it, and between two points that differ in
 * both a curve that begins and ends along the flow.
 *
 * @param points x and y, one after the other.
 */
export function outline(points: Float64Array, across: boolean): string {
  let [x, y] = [points[0]!, points[1]!];
  let path = `M${x} ${y}`;
  for (let at = 2; at < points.length; at += 2) {
    const [nextX, nextY] = [points[at]!, points[at + 1]!];
    const isLast = at + 2 >= points.length;
    if (nextX === x || nextY === y) {
      const turn = isLast ? 0 : cornerOf(points, at);
      if (turn > 0) {
        const [afterX, afterY] = [points[at + 2]!, points[at + 3]!];
        const back = `${nextX - Math.sign(nextX - x) * turn} ${nextY - Math.sign(nextY - y) * turn}`;
        const on = [
          nextX + Math.sign(afterX - nextX) * turn,
          nextY + Math.sign(afterY - nextY) * turn,
        ];
        path += `L${back}Q${nextX} ${nextY} ${on[0]} ${on[1]}`;
        [x, y] = [nextX, nextY];
        continue;
      }
      path += `L${nextX} ${nextY}`;
    } else if (across) {
      const middle = (x + nextX) / 2;
      path += `C${middle} ${y} ${middle} ${nextY} ${nextX} ${nextY}`;
    } else {
      const middle = (y + nextY) / 2;
      path += `C${x} ${middle} ${nextX} ${middle} ${nextX} ${nextY}`;
    }
    [x, y] = [nextX, nextY];
  }
  return path;
}

/** x, y, width and height of what each arrow covers, as `starts` divides the points. */
export function extents(points: Float64Array, starts: Int32Array): Float64Array {
  const found = new Float64Array(4 * Math.max(starts.length - 1, 0));
  for (let arrow = 0; arrow + 1 < starts.length; arrow++) {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let at = starts[arrow]!; at < starts[arrow + 1]!; at += 2) {
      left = Math.min(left, points[at]!);
      right = Math.max(right, points[at]!);
      top = Math.min(top, points[at + 1]!);
      bottom = Math.max(bottom, points[at + 1]!);
    }
    found.set([left, top, right - left, bottom - top], 4 * arrow);
  }
  return found;
}

/** How round a path turns at a point; 0 where it goes straight on, or a curve begins. */
function cornerOf(points: Float64Array, at: number): number {
  const [x0, y0, x1, y1, x2, y2] = points.subarray(at - 2, at + 4);
  const isTurn = (x0 === x1 && y1 === y2) || (y0 === y1 && x1 === x2);
  const legs = [
    Math.abs(x1! - x0!) + Math.abs(y1! - y0!),
    Math.abs(x2! - x1!) + Math.abs(y2! - y1!),
  ];
  return isTurn ? Math.min(CORNER, legs[0]! / 2, legs[1]! / 2) : 0;
}
