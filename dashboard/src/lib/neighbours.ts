/** Which layers stand beside one: what feeds it, what it feeds, the gates of a loop. */

/** What of a row says where it stands; `inputs` are places in the same list. */
export interface Placed {
  path: string;
  kind: string;
  call: number;
  inputs: readonly number[];
  state_fan_in?: unknown;
}

/** Each once, also where it enters twice. */
export function feeding(rows: readonly Placed[], channel: number): number[] {
  return [...new Set(rows[channel]?.inputs)];
}

/** Without the gates that are fed by the same: they stand behind the loop that they are part of. */
export function fedBy(rows: readonly Placed[], channel: number): number[] {
  return rows.flatMap((row, index) => (row.inputs.includes(channel) && !isGate(row) ? [index] : []));
}

function isGate(row: Placed | undefined): boolean {
  return row !== undefined && row.state_fan_in !== null && row.state_fan_in !== undefined;
}

function isWithin(gate: Placed, loop: Placed): boolean {
  return gate.path.startsWith(`${loop.path}/`) && gate.kind === loop.kind && gate.call === loop.call;
}

/** The gates of a recurrent layer; of a gate those of its layer, itself included. */
export function gatesOf(rows: readonly Placed[], channel: number): number[] {
  const loop = rows[loopOf(rows, channel) ?? channel];
  if (loop === undefined) return [];
  return rows.flatMap((row, index) => (isGate(row) && isWithin(row, loop) ? [index] : []));
}

/** The recurrent layer that a gate belongs to; null for what is no gate. */
export function loopOf(rows: readonly Placed[], channel: number): number | null {
  const gate = rows[channel];
  if (gate === undefined || !isGate(gate)) return null;
  const loop = rows.findIndex((row) => !isGate(row) && isWithin(gate, row));
  return loop < 0 ? null : loop;
}
