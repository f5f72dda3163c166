/** The live feed: one WebSocket that comes back by itself. Sockets and clocks are handed in. */

import { type Decoded, decode } from "./wire";

export type Connection = "connecting" | "open" | "disconnected";

/** What is used of a WebSocket. */
export interface Socket {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string): void;
  close(): void;
}

export interface Edges {
  open: () => Socket;
  token: () => string | null;
  /** Calls back after so many milliseconds; returns how to cancel it. */
  after: (milliseconds: number, call: () => void) => () => void;
  random: () => number;
}

export interface Listener {
  message: (decoded: Decoded) => void;
  connection: (state: Connection) => void;
  /** After a gap in the feed: what was missed has to be fetched. */
  resumed: () => void;
  unreadable: (error: Error) => void;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

/** Doubling, with up to half taken off at random, so that viewers do not all return at once. */
export function backOff(attempt: number, random: () => number): number {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt) * (1 - random() / 2);
}

export class Live {
  private socket: Socket | null = null;
  private cancel: (() => void) | null = null;
  private attempt = 0;
  private hadConnection = false;
  private closed = false;

  /** @param run The run to follow; null for the list of runs. */
  constructor(
    private readonly run: string | null,
    private readonly edges: Edges,
    private readonly listener: Listener,
  ) {
    this.connect();
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
    this.socket?.close();
  }

  private connect(): void {
    this.listener.connection(this.hadConnection ? "disconnected" : "connecting");
    const socket = this.edges.open();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.attempt = 0;
      socket.send(
        JSON.stringify({ type: "subscribe", run: this.run, token: this.edges.token() }),
      );
      this.listener.connection("open");
      if (this.hadConnection) this.listener.resumed();
      this.hadConnection = true;
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => this.retry();
  }

  private receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    let decoded: Decoded;
    try {
      decoded = decode(data);
    } catch (error) {
      this.listener.unreadable(error as Error);
      return;
    }
    this.listener.message(decoded);
  }

  private retry(): void {
    if (this.closed) return;
    this.listener.connection("disconnected");
    this.cancel = this.edges.after(backOff(this.attempt++, this.edges.random), () =>
      this.connect(),
    );
  }
}
