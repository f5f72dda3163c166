/** How large what a graph is made of is drawn; apart from the layout, which comes with dagre. */

import type { Size } from "./arrange";

export const BOX: Size = { width: 184, height: 50 };
/** Height of what is above the contents of a frame. */
export const TITLE = 30;
