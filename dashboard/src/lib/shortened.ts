/** Names cut to the room that there is for them. */

/** A name of at most so many characters: its middle is left out, since both ends tell. */
export function shortened(name: string, characters: number): string {
  // By characters as they are read, not by what they are stored in.
  const all = [...name];
  if (all.length <= characters) return name;
  const kept = Math.max(characters - 1, 1);
  const end = Math.floor(kept / 2);
  return [...all.slice(0, kept - end), "…", ...all.slice(all.length - end)].join("");
}
