import { encode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import { contract, recorded } from "../../tests/recorded";
import { decode, type Frame, maskOf, type Schema, UnknownTypeError, WireError } from "./wire";

function changed(data: ArrayBuffer, change: (view: DataView) => void): ArrayBuffer {
  const copy = data.slice(0);
  change(new DataView(copy));
  return copy;
}

describe("messages that every release must read", () => {
  it("reads a schema with its mask", () => {
    const message = decode(contract("schema")).message as Schema;
    expect(message.rows.map(({ path }) => path)).toEqual([
      "sequential/hidden",
      "sequential/ausgänge",
    ]);
    const block = message.blocks["layers"]!;
    expect(block.columns.map(({ id }) => id)).toEqual(["input_rms", "pre_rms", "bias_rms"]);
    expect([...maskOf(block, 2)]).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it("reads a frame's numbers, the NaN and the infinity among them", () => {
    const { message, blocks } = decode(contract("frame"));
    expect(message).toMatchObject({
      type: "frame",
      run: "recorded-run",
      worker: 1,
      step: 60,
      source: "validation",
      logs: { loss: 0.75, accuracy: Infinity },
    });
    expect(blocks.get("layers")!.shape).toEqual([2, 3]);
    const tiny = Math.fround(1e-38);
    expect([...blocks.get("layers")!.values]).toEqual([0.5, -94.25, NaN, Infinity, tiny, 0]);
    expect([...blocks.get("units")!.values]).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it("reads a log whose name the decoder refuses", () => {
    const header = encode({ type: "frame", logs: Object.fromEntries([["__proto__", 2], ["loss", 1]]), blocks: [] });
    const data = new Uint8Array([0x47, 0x53, 1, 0, header.length, 0, 0, 0, ...header]);
    const { logs } = decode(data.buffer).message as Frame;
    expect(Object.entries(logs)).toEqual([["__proto__", 2], ["loss", 1]]);
  });

  it.each([
    ["subscribed", { type: "subscribed", id: 3 }],
    ["skipped", { type: "skipped", run: "recorded-run", frames: 12 }],
  ])("reads %s", (name, message) => {
    expect(decode(contract(name)).message).toEqual(message);
  });

  it("reads a finding whole", () => {
    const { message } = decode(contract("finding"));
    expect(message).toEqual({
      type: "finding",
      run: "recorded-run",
      finding: {
        id: "3333333333333333",
        row: "1111111111111111",
        layer: "sequential/hidden",
        verdict: "activity",
        severity: "warning",
        since_step: 20,
        last_step: 60,
        closed_step: 80,
        levels: { input: -14.5, coherence: 31.25 },
        evidence: {
          coherence_db: { value: 31.25, limit: 0, unit: "dB" },
          bias_db: { value: -3, limit: null, unit: "" },
        },
        summary: "What is wrong.",
        remedy: "What to do.",
        code: "replacement = []\n",
        provisional: true, // recorded by an earlier release
      },
    });
  });

  it.each([
    ["run_start", { project: "recorded", tags: ["a", "ä"] }],
    ["notice", { level: "error", code: "monitor-failed", text: "Why." }],
    ["trial", { layer: "sequential/hidden" }],
    ["run_end", { status: "completed", frames: 9, thinned: 2 }],
    ["run_deleted", { run: "recorded-run" }],
  ])("reads %s", (name, fields) => {
    expect(decode(contract(name)).message).toMatchObject({ type: name, ...fields });
  });

  it.each(["ack", "refuse"])("does not know %s, which is not for viewers", (name) => {
    expect(() => decode(contract(name))).toThrow(UnknownTypeError);
    expect(() => decode(contract(name))).toThrow(`Unknown message "${name}"`);
  });
});

describe("what this release's trainer writes", () => {
  it("keeps a step beyond 32 bits exact", () => {
    expect(decode(recorded("frame")).message).toMatchObject({ step: 2 ** 40 });
  });

  it("finds a block behind another one's padding", () => {
    const { blocks } = decode(recorded("frame"));
    expect([...blocks.get("layers")!.values]).toEqual([15.5, -Infinity, 0.25, NaN, 0, 0]);
    expect([...blocks.get("odd")!.values]).toEqual([1, 1, 1]);
  });

  it("maps blocks without copying", () => {
    const data = recorded("frame");
    expect(decode(data).blocks.get("layers")!.values.buffer).toBe(data);
  });

  it("reads minus infinity among a finding's levels", () => {
    const { message } = decode(recorded("finding"));
    expect(message).toMatchObject({ finding: { levels: { pre: 37.5, bias: -Infinity } } });
  });

  it("reads the answer of the units endpoint", () => {
    const { message, blocks } = decode(recorded("units"));
    expect(message).toMatchObject({ layer: "head/dense", units: 5, groups: 3, steps: [10, 20] });
    expect(blocks.get("pinned")!.shape).toEqual([3, 2]);
    expect([...blocks.get("pinned")!.values]).toEqual([0, 0.25, 0.5, NaN, 1, 1]);
  });

  it("reads the answer of the heatmap endpoint", () => {
    const { message, blocks } = decode(recorded("heatmap"));
    expect(message).toMatchObject({ rows: ["r0", "r1"], steps: [10, 20, 30], downsampled: true });
    expect([...blocks.get("min")!.values]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...blocks.get("max")!.values]).toEqual([10, 11, 12, 13, 14, 15]);
    expect([...blocks.get("last")!.values]).toEqual([5, 6, 7, 8, 9, 10]);
  });
});

describe("what cannot be read", () => {
  const frame = recorded("frame");

  it.each([
    ["nothing", new ArrayBuffer(0), "at least 8 bytes"],
    ["something else", Uint8Array.from([..."HTTP/1.1"].map((c) => c.charCodeAt(0))).buffer, '"GS"'],
    ["a later version", changed(frame, (view) => view.setUint16(2, 2, true)), "version 2: reload"],
    ["a header without its end", changed(frame, (view) => view.setUint32(4, 1e6, true)), "ends at"],
    ["a block without its end", frame.slice(0, -8), 'Block "odd" ends at byte'],
  ])("names what is wrong with %s", (_, data, words) => {
    expect(() => decode(data)).toThrow(WireError);
    expect(() => decode(data)).toThrow(words);
  });

  it("refuses a mask of another size than its rows and columns", () => {
    const schema = decode(recorded("schema")).message as Schema;
    expect(() => maskOf(schema.blocks["layers"]!, 9)).toThrow("has 4 bytes. Received: 1.");
  });
});
