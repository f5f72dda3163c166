/** The live feed: one WebSocket that comes back by itself. Sockets and clocks are handed in. */

import { type Decoded, decode, UnknownTypeError } from "./wire";

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
  /** All that was asked for last is told from here on; what was before has to be fetched. */
  following: () => void;
  /** Before that, where there was a gap in the feed. */
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
  private isOpen = false;
  /** Whether something may have been missed. */
  private hasGap = false;
  /** Subscriptions that were sent; their numbers are their ids. */
  private asked = 0;
  private answered = 0;
  private closed = false;

  /**
   * @param run The run to follow; null for the list of runs.
   * @param statistics Those that its frames bring.
   */
  constructor(
    private readonly run: string | null,
    private readonly edges: Edges,
    private readonly listener: Listener,
    private statistics: readonly string[] = [],
  ) {
    this.connect();
  }

  /**
   * Has frames bring these statistics.
   *
   * @returns Whether they do so only once `following` is called; without a connection, nothing is
   * waited for.
   */
  follow(statistics: readonly string[]): boolean {
    const isOther = JSON.stringify(statistics) !== JSON.stringify(this.statistics);
    this.statistics = statistics;
    if (isOther && this.isOpen) this.subscribe();
    return this.isOpen && !this.isFollowing;
  }

  /** Whether all that was asked for last is told. */
  get isFollowing(): boolean {
    return this.isOpen && this.answered === this.asked;
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
    this.socket?.close();
  }

  private connect(): void {
    this.listener.connection(this.hasGap ? "disconnected" : "connecting");
    const socket = this.edges.open();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.attempt = 0;
      this.isOpen = true;
      this.subscribe();
      this.listener.connection("open");
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => this.retry();
  }

  private subscribe(): void {
    const { run, statistics } = this;
    const subscription = { type: "subscribe", run, token: this.edges.token(), statistics, id: ++this.asked };
    this.socket?.send(JSON.stringify(subscription));
  }

  private receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    let decoded: Decoded;
    try {
      decoded = decode(data);
    } catch (error) {
      if (!(error instanceof UnknownTypeError)) this.listener.unreadable(error as Error);
      return;
    }
    const { message } = decoded;
    if (message.type === "subscribed") this.confirm(message.id);
    else this.listener.message(decoded);
  }

  private confirm(id: number): void {
    this.answered = id;
    if (id !== this.asked) return;
    if (this.hasGap) this.listener.resumed();
    this.hasGap = false;
    this.listener.following();
  }

  private retry(): void {
    if (this.closed) return;
    this.isOpen = false;
    this.hasGap = true;
    this.listener.connection("disconnected");
    this.cancel = this.edges.after(backOff(this.attempt++, this.edges.random), () =>
      this.connect(),
    );
  }
}
