/** Messages as the trainer's own encoder wrote them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import messages from "./messages.json";

/** A message that `make_fixture.py` wrote. */
export function recorded(name: keyof typeof messages): ArrayBuffer {
  return bytesOf(Buffer.from(messages[name], "hex"));
}

/** A message that every release must read, from the repository's `tests/contract`. */
export function contract(name: string): ArrayBuffer {
  const folder = join(import.meta.dirname, "../../tests/contract");
  return bytesOf(readFileSync(join(folder, `${name}.v1.bin`)));
}

/** A copy at the start of a buffer of its own, as a WebSocket hands it over. */
function bytesOf(buffer: Buffer): ArrayBuffer {
  return Uint8Array.from(buffer).buffer;
}
