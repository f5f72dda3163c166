/** What runs in the thread that lays graphs out: dagre is loaded here and nowhere else. */

import { type Layout, layOut, type Plan } from "./layout";

self.onmessage = ({ data }: MessageEvent<Plan>) => {
  let layout: Layout | null = null;
  try {
    layout = layOut(data);
  } catch (error) {
    // dagre goes through a graph by recursion, which ends somewhere.
    if (!(error instanceof RangeError)) throw error;
  }
  self.postMessage(layout);
};
