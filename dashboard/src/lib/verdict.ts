/** How a verdict and a status are called and drawn; always a sign and a word, never colour alone. */

export interface Look {
  title: string;
  sign: string;
  tone: "ok" | "info" | "warning" | "critical" | "quiet";
}

const LOOKS: Readonly<Record<string, Look>> = {
  "": { title: "not judged", sign: "·", tone: "quiet" },
  healthy: { title: "healthy", sign: "✓", tone: "ok" },
  nonfinite: { title: "non-finite", sign: "∞", tone: "critical" },
  activity: { title: "activity", sign: "▲", tone: "critical" },
  kernel: { title: "kernel", sign: "◆", tone: "critical" },
  input: { title: "input", sign: "▶", tone: "critical" },
  bias: { title: "bias", sign: "■", tone: "critical" },
  dead: { title: "dead", sign: "○", tone: "warning" },
};

/** The look of a verdict; one that a newer server knows is shown by its own name. */
export function lookOf(verdict: string, severity?: string): Look {
  const look = LOOKS[verdict] ?? { title: verdict, sign: "!", tone: "warning" as const };
  if (severity === "info" || severity === "warning" || severity === "critical") {
    return { ...look, tone: severity };
  }
  return look;
}
