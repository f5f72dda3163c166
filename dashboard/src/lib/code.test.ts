import { expect, it } from "vitest";
import { linesOf } from "./code";

const CODE = `# In the place of 'a/b':
replacement = [

    keras.layers.Dense(units=64, activity_regularizer=keras.regularizers.L2(l2=0.001)),
]
`;

it.each([CODE, "", "\n", "x", "  \n  x", "a  b \n\tc"])("loses nothing of %j", (code) => {
  const joined = linesOf(code).map(({ indent, words }) => indent + words.flat().join(""));
  expect(joined.join("")).toBe(code);
});

it("breaks between words, and a long one behind what opens or joins", () => {
  const { indent, words } = linesOf(CODE)[3]!;
  expect(indent).toBe("    ");
  expect(words).toEqual([
    ["keras.", "layers.", "Dense(", "units=", "64, "],
    ["activity_regularizer=", "keras.", "regularizers.", "L2(", "l2=", "0.001)),\n"],
  ]);
});
