/** What is asked of a run's page, by `probe`. */
window.page = (() => {
  const { tasks, painted, calm, inked } = window.probe;
  // So long without a long task, and none is on its way any more.
  const QUIET = 500;
  const all = (id) => [...document.querySelectorAll(`[data-testid=${id}]`)];
  const strips = () => all("strip");
  const isInView = (one) => {
    const { top, bottom, left, right } = one.getBoundingClientRect();
    return top < innerHeight && bottom > 0 && left < innerWidth && right > 0;
  };
  // What strips show of their numbers, another thread draws over them, once they are in view.
  const isShown = () =>
    strips().some(({ textContent }) => /\d\s?dB/.test(textContent)) &&
    all("readings").every((canvas) => !isInView(canvas) || inked(canvas, 0) > 0.3);
  const isJudged = () => all("finding").length > 0;

  /** Both of them as far into view as they go, whatever comes above them later. */
  const lookAtHistory = () => all("series")[0]?.scrollIntoView({ block: "end", behavior: "instant" });

  const isHeatmapPainted = () => {
    const [canvas] = all("heatmap");
    return canvas !== undefined && inked(canvas, 0.5) > 0.5;
  };

  const isCurvePainted = (layer) => {
    const [panel] = all("series");
    const canvas = panel?.querySelector("canvas");
    if (!canvas || panel.dataset.layer !== layer) return false;
    const style = getComputedStyle(document.documentElement);
    const lines = [1, 2, 3, 4, 5, 6, 7].map((line) => style.getPropertyValue(`--line-${line}`).trim());
    return inked(canvas, 0, lines) > 0.5;
  };

  /** Until a click on a strip is answered, and no long task keeps the next one waiting. */
  const interactive = async () => {
    const values = await painted(() => isShown() && isJudged());
    const strip = strips().find((one) => one.getAttribute("aria-selected") !== "true");
    strip.click();
    const { layer } = strip.dataset;
    const isChosen = (one) => one.dataset.layer === layer && one.getAttribute("aria-selected") === "true";
    const answered = await painted(() => strips().some(isChosen));
    const free = await calm(answered, QUIET);
    return { values, answered, interactive: free, longest: longest() };
  };

  const history = async (layer) => {
    let seen = false;
    const watched = (condition) => painted(() => (lookAtHistory(), condition()));
    const [heatmap, curve] = await Promise.all([
      watched(isHeatmapPainted),
      watched(() => (seen ||= isCurvePainted(layer))),
    ]);
    return { heatmap, curve, longest: longest() };
  };

  const longest = () => tasks.reduce((most, { duration }) => Math.max(most, duration), 0);

  /** Frames drawn, steps that the counter told, and how many went by, in so many seconds. */
  const rates = (seconds) =>
    new Promise((resolve) => {
      const counter = [...document.querySelectorAll("dt")].find((it) => it.textContent.trim() === "Last sample");
      const step = () => Number(counter.nextElementSibling.textContent.replace(/\D/g, ""));
      const begun = performance.now();
      const first = step();
      const told = new Set();
      let drawn = 0;
      const look = () => {
        told.add(step());
        drawn += 1;
        const passed = (performance.now() - begun) / 1000;
        if (passed < seconds) requestAnimationFrame(look);
        else resolve({ seconds: passed, drawn, told: told.size - 1, steps: step() - first });
      };
      requestAnimationFrame(look);
    });

  return { isShown, isHeatmapPainted, interactive, history, rates };
})();
