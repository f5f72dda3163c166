/** What is asked of TensorBoard's page, by `probe`. */
window.page = (() => {
  const { painted, inked } = window.probe;

  /** Until the only card that is shown has its line. */
  const curve = () =>
    painted(() => {
      const charts = document.querySelectorAll("scalar-card line-chart");
      const canvas = charts[0]?.querySelector("canvas");
      // As SVG it is drawn where the browser has no WebGL.
      const path = charts[0]?.querySelector(".series-view svg path");
      if (charts.length !== 1) return false;
      return canvas ? inked(canvas, 0) > 0.5 : (path?.getAttribute("d")?.length ?? 0) > 100;
    });

  return { curve };
})();
