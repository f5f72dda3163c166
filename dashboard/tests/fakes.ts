/** A clock and sockets that a test moves by hand. */

import { encode } from "@msgpack/msgpack";
import type { Edges, Socket } from "../src/lib/live";
import { type Message, VERSION } from "../src/lib/wire";

export class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: { type: string; id: number; statistics: string[] }[] = [];
  closed = false;

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.closed = true;
  }

  opens(): void {
    this.onopen?.({} as Event);
  }

  brings(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  /** The server tells all that was subscribed to last. */
  confirms(): void {
    this.brings(written({ type: "subscribed", id: this.sent.at(-1)!.id }));
  }

  breaks(): void {
    this.onclose?.({} as CloseEvent);
  }
}

/** A message without blocks, as the server sends it. */
export function written(message: Message): ArrayBuffer {
  const header = encode(message);
  const data = new Uint8Array(8 + header.length);
  data.set([0x47, 0x53, VERSION, 0]);
  new DataView(data.buffer).setUint32(4, header.length, true);
  data.set(header, 8);
  return data.buffer;
}

export class FakeEdges implements Edges {
  readonly sockets: FakeSocket[] = [];
  /** What was asked of the clock and not taken back. */
  readonly timers = new Map<number, { at: number; call: () => void }>();
  private now = 0;
  private names = 0;

  open = (): FakeSocket => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  };

  token = (): string | null => null;

  random = (): number => 0;

  after = (milliseconds: number, call: () => void): (() => void) => {
    const name = this.names++;
    this.timers.set(name, { at: this.now + milliseconds, call });
    return () => this.timers.delete(name);
  };

  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  /** Lets time pass, and what it set off come to its end. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.now + milliseconds;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= until);
      const [name, timer] = due.sort(([, left], [, right]) => left.at - right.at)[0] ?? [];
      if (name === undefined || timer === undefined) break;
      this.timers.delete(name);
      this.now = timer.at;
      timer.call();
      await settled();
    }
    this.now = until;
    await settled();
  }
}

/** After everything that was already promised. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
