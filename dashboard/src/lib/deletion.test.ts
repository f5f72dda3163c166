import { describe, expect, it } from "vitest";
import { aRunSummary } from "../../tests/builders";
import { ApiError } from "./api";
import { Deletion } from "./deletion";

const RUNS = [aRunSummary({ id: "a", frames: 2 }), aRunSummary({ id: "b", frames: 40 })];

/** A server that answers each question with the next of `statuses`; 204 says yes. */
function answering(...statuses: number[]) {
  const asked: string[] = [];
  const gone: string[] = [];
  const api = {
    deleteRun: async (run: string): Promise<void> => {
      asked.push(run);
      const status = statuses.shift()!;
      if (status !== 204) throw new ApiError(status, `The server said ${status}.`);
    },
  };
  const deletion = new Deletion(RUNS, api, (run) => gone.push(run));
  return { deletion, asked, gone };
}

describe("a deletion", () => {
  it("is confirmed by the name of the run, or by how many they are", () => {
    const [first] = RUNS;
    const one = new Deletion([first!], { deleteRun: async () => undefined }, () => undefined);
    const { deletion } = answering();
    expect([one.confirmation, deletion.confirmation]).toEqual(["a", "2 runs"]);
    expect([deletion.phase, deletion.samples]).toEqual(["asking", 42]);
  });

  it("tells of each run that is gone, and that all are", async () => {
    const { deletion, gone } = answering(204, 204);
    const phases: string[] = [];
    deletion.watch(() => phases.push(`${deletion.phase} ${deletion.answered}`));
    await deletion.go();
    expect(gone).toEqual(["a", "b"]);
    expect(phases).toEqual(["deleting 0", "deleting 1", "deleting 2", "done 2"]);
  });

  it("goes on behind a run that the server keeps, and repeats its words", async () => {
    const { deletion, gone } = answering(409, 204);
    await deletion.go();
    expect([deletion.phase, deletion.refusals]).toEqual([
      "refused",
      [{ run: "a", reason: "The server said 409." }],
    ]);
    expect(gone).toEqual(["b"]);
  });

  it("takes a run that is not there for deleted", async () => {
    const { deletion, gone } = answering(404, 204);
    await deletion.go();
    expect([deletion.phase, gone]).toEqual(["done", ["a", "b"]]);
  });

  it("waits for the admin token where the server wants it, and goes on from there", async () => {
    const { deletion, asked, gone } = answering(204, 401, 401, 204);
    await deletion.go();
    expect([deletion.phase, deletion.mistaken, gone]).toEqual(["token", false, ["a"]]);
    await deletion.go();
    expect([deletion.phase, deletion.mistaken]).toEqual(["token", true]);
    await deletion.go();
    expect([deletion.phase, asked]).toEqual(["done", ["a", "b", "b", "b"]]);
  });
});
