// The source of the orders that a view shows: the only place that knows how they arrive.
//
// Open orders come as a snapshot with all changes after it, by one stream. What has ended is listed, and counted, again
// when something has changed. A search is asked again then, too, as only the server knows what it finds.

import { call, query } from "./api.js";
import { follow } from "./stream.js";

/** @typedef {import("./types.js").Order} Order */
/** @typedef {{q: string, restaurantId: string, customerId: string, shipperId: string, available: boolean}} Filter */
/** @typedef {{state: string, orders: number, more: boolean, lateAfterSeconds: number | null}} Count */

const FINAL = ["delivered", "cancelled"];
const FOUND = 200;
const RECENT = 50;
const PAUSE = 1_000;
const AGAIN = 30_000;

/** Keeps the orders of a filter as they are now. ``changed`` is called after each change. */
export class Orders {
  /** @type {Map<string, Order>} */
  byId = new Map();
  /** @type {Map<string, Count>} */
  counts = new Map();
  /** What is wrong with the stream, and with the latest list; empty if nothing is. */
  #problems = { stream: "", list: "" };
  #isRead = false;
  #isRefused = false;
  #stopped = new AbortController();
  #changed;
  #filter;
  #isListed;
  #listing = false;
  #listAgain = false;
  #timer = 0;
  #timed = 0;

  /**
   * @param {Filter} filter
   * @param {() => void} changed
   */
  constructor(filter, changed) {
    this.#filter = filter;
    this.#changed = changed;
    this.#isListed = filter.q !== "" || filter.available;
    const { restaurantId, customerId, shipperId } = filter;
    const parties = filter.available ? {} : { restaurantId, customerId, shipperId };
    follow(`v1/stream${query(parties)}`, {
      signal: this.#stopped.signal,
      receive: (message) => this.#receive(message),
      status: (_, problem) => this.#found("stream", problem),
    });
    this.#list();
    this.#timed = setInterval(() => this.#listSoon(), AGAIN); // what waits for a shipper changes without a word to us
  }

  /** Refused: the filter is none. @returns {"connecting" | "live" | "interrupted" | "refused"} */
  get status() {
    if (this.#isRefused) return "refused";
    if (this.problem !== "") return "interrupted";
    return this.#isRead ? "live" : "connecting";
  }

  get problem() {
    return this.#problems.list || this.#problems.stream;
  }

  stop() {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#timed);
  }

  /**
   * How many orders there are in a state: as the server counts them, or as the stream has brought all of them.
   * @param {string} state
   * @param {number} here
   */
  total(state, here) {
    const counted = this.#isListed || FINAL.includes(state) ? this.counts.get(state) : undefined;
    return { orders: Math.max(counted?.orders ?? here, here), more: counted?.more ?? false };
  }

  /** @param {"stream" | "list"} where @param {string} problem */
  #found(where, problem) {
    this.#problems[where] = problem;
    this.#changed();
  }

  /** @param {import("./stream.js").Message} message */
  #receive({ type, data }) {
    const message = JSON.parse(data);
    if (type === "end") return; // the stream is followed again
    if (type === "snapshot") {
      if (!this.#isListed) {
        if (message.first) for (const [id, order] of this.byId) if (!FINAL.includes(order.state)) this.byId.delete(id);
        for (const order of message.orders) this.#keep(order);
      }
      if (message.last) {
        if (!this.#isListed) this.#isRead = true;
        this.#listSoon();
      }
    } else if (this.#isListed) this.#listSoon();
    else {
      const before = this.byId.get(message.orderId);
      if (message.order === null) this.byId.delete(message.orderId);
      else this.#keep(message.order);
      if (before?.state !== message.order?.state) this.#listSoon();
    }
    this.#changed();
  }

  /** An answer that was on its way may be older than what the stream has said. @param {Order} order */
  #keep(order) {
    const known = this.byId.get(order.orderId);
    if (known === undefined || known.version <= order.version) this.byId.set(order.orderId, order);
  }

  /** List a moment later, once for all changes until then, also if they never pause. */
  #listSoon() {
    if (this.#timer !== 0 || this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#list();
    }, PAUSE);
  }

  /** List and count what the stream does not tell; changes meanwhile are listed after it, once. */
  async #list() {
    if (this.#listing) {
      this.#listAgain = true;
      return;
    }
    this.#listing = true;
    try {
      const signal = this.#stopped.signal;
      const { available, ...filter } = this.#filter;
      const asked = { ...filter, available: available || null };
      const lists = this.#isListed
        ? [{ ...asked, limit: FOUND }]
        : FINAL.map((state) => ({ ...asked, state, limit: RECENT }));
      const [counted, ...pages] = await Promise.all([
        call(`v1/orders:count${query(asked)}`, { signal }),
        ...lists.map((list) => call(`v1/orders${query(list)}`, { signal })),
      ]);
      this.counts = new Map(counted.counts.map((/** @type {Count} */ count) => [count.state, count]));
      if (this.#isListed) this.byId.clear();
      else for (const [id, order] of this.byId) if (FINAL.includes(order.state)) this.byId.delete(id);
      for (const order of pages.flatMap((page) => page.orders)) this.#keep(order);
      if (this.#isListed) this.#isRead = true;
      this.#found("list", "");
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#isRefused = /** @type {any} */ (error).status === 400;
      if (this.#isRefused) this.stop();
      this.#found("list", error instanceof Error ? error.message : String(error));
      this.#listSoon();
    } finally {
      this.#listing = false;
      if (this.#listAgain) {
        this.#listAgain = false;
        this.#listSoon();
      }
    }
  }
}
