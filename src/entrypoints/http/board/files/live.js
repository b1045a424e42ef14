// The source of the orders that a view shows: the only place that knows how they arrive.

import { call, query } from "./api.js";

/** @typedef {import("./types.js").Order} Order */
/** @typedef {{q: string, restaurantId: string, customerId: string, shipperId: string, available: boolean}} Filter */

const OPEN = ["waiting_for_shipper", "preparing", "on_the_way"];
const FINAL = ["delivered", "cancelled"];
const PAGE = 200;
const MOST_PAGES = 5;
const RECENT = 50;
const PAUSE = 2_000;

/** Reads open orders and the latest final ones again and again. ``changed`` is called after each reading. */
export class Orders {
  /** @type {Map<string, Order>} */
  byId = new Map();
  /** @type {"connecting" | "live" | "interrupted"} */
  status = "connecting";
  problem = "";
  #stopped = new AbortController();
  #changed;
  #filter;

  /**
   * @param {Filter} filter
   * @param {() => void} changed
   */
  constructor(filter, changed) {
    this.#filter = filter;
    this.#changed = changed;
    this.#run();
  }

  stop() {
    this.#stopped.abort();
  }

  async #run() {
    const signal = this.#stopped.signal;
    while (!signal.aborted) {
      try {
        const states = this.#filter.available ? [null] : [...OPEN, ...FINAL];
        const found = await Promise.all(states.map((state) => this.#read(state, signal)));
        this.byId = new Map(found.flat().map((order) => [order.orderId, order]));
        this.status = "live";
        this.problem = "";
      } catch (error) {
        if (signal.aborted) return;
        this.status = "interrupted";
        this.problem = error instanceof Error ? error.message : String(error);
      }
      this.#changed();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  /**
   * @param {string | null} state
   * @param {AbortSignal} signal
   * @returns {Promise<Order[]>}
   */
  async #read(state, signal) {
    const { restaurantId, customerId, shipperId, available } = this.#filter;
    const isFinal = FINAL.includes(state ?? "");
    /** @type {Order[]} */
    const found = [];
    let cursor = null;
    for (let page = 0; page < (isFinal ? 1 : MOST_PAGES); page += 1) {
      const read = await call(
        `v1/orders${query({ state, restaurantId, customerId, shipperId, available: available || null, limit: isFinal ? RECENT : PAGE, cursor })}`,
        { signal },
      );
      found.push(...read.orders);
      cursor = read.nextCursor;
      if (cursor === null) break;
    }
    return found;
  }
}
