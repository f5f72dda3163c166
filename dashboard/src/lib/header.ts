/** Reads a message's header, whatever a trainer has called its logs. */

import { DecodeError, Decoder, decode } from "@msgpack/msgpack";

const REFUSED = "__proto__";
const STAND_IN = "\0proto";
const text = new TextDecoder();

/** Reads the key that MessagePack's decoder refuses under another name. */
const renaming = new Decoder({
  keyDecoder: {
    canBeCached: () => true,
    decode: (bytes, offset, length) => {
      const key = text.decode(bytes.subarray(offset, offset + length));
      return key === REFUSED ? STAND_IN : key;
    },
  },
});

export function decodeHeader(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return named(renaming.decode(bytes));
  }
}

/** With the name that was refused as a property of its own, which no assignment makes. */
function named(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const entries = Object.entries(value).map(([key, one]) => [key === STAND_IN ? REFUSED : key, named(one)]);
  return Object.fromEntries(entries);
}
