/** Lets views read a plain object that changes: they are drawn again, at most once a frame. */

import { createSubscriber } from "svelte/reactivity";

interface Watched {
  watch(watcher: () => void): () => void;
}

export interface Observed<T> {
  /** The object; reading it in a view ties the view to the object's changes. */
  readonly now: T;
}

export function observed<T extends Watched>(subject: T): Observed<T> {
  const subscribe = createSubscriber((update) => {
    let request = 0;
    const stop = subject.watch(() => {
      request ||= requestAnimationFrame(() => {
        request = 0;
        update();
      });
    });
    return () => {
      cancelAnimationFrame(request);
      stop();
    };
  });
  return {
    get now() {
      subscribe();
      return subject;
    },
  };
}
