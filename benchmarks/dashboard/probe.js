/** Notes when a page has painted what, in milliseconds since its navigation began. */
window.probe = (() => {
  const tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      tasks.push({ begin: startTime, end: startTime + duration, duration });
    }
  }).observe({ type: "longtask", buffered: true });

  /** When the frame is drawn at whose beginning `condition` held. */
  const painted = (condition) =>
    new Promise((resolve) => {
      const look = () => {
        if (!condition()) return void requestAnimationFrame(look);
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      };
      requestAnimationFrame(look);
    });

  /** `from`, or the end of the last of the long tasks that come less than `quiet` apart. */
  const calm = async (from, quiet) => {
    let end = from;
    while (performance.now() < end + quiet) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      end = tasks.reduce((latest, task) => Math.max(latest, task.end), from);
    }
    return end;
  };

  const COLUMNS = 32;
  const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const word = (hex) => parseInt(hex.slice(5, 7) + hex.slice(3, 5) + hex.slice(1, 3), 16);

  /**
   * Share of some columns of a canvas that are painted: where more than `least` of a column's
   * pixels have one of `colours`, as `#rrggbb`, or without `colours` are not clear.
   */
  const inked = (canvas, least, colours) => {
    const { width, height } = canvas;
    if (width === 0 || height === 0) return 0;
    Object.assign(scratch.canvas, { width: COLUMNS, height });
    for (let column = 0; column < COLUMNS; column++) {
      const x = Math.floor(((column + 0.5) * width) / COLUMNS);
      scratch.drawImage(canvas, x, 0, 1, height, column, 0, 1, height);
    }
    const pixels = new Uint32Array(scratch.getImageData(0, 0, COLUMNS, height).data.buffer);
    const wanted = colours && new Set(colours.map(word));
    const counts = new Float64Array(COLUMNS);
    pixels.forEach((pixel, place) => {
      if (wanted ? wanted.has(pixel & 0xffffff) : pixel >>> 24 > 0) counts[place % COLUMNS] += 1;
    });
    return counts.filter((count) => count > least * height).length / COLUMNS;
  };

  return { tasks, painted, calm, inked };
})();
