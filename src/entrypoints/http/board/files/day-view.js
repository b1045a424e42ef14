// A simulated day on a map, as it goes by, and the same in tables.

import { call, isRefusal, now, READ_AGAIN } from "./api.js";
import { dayClock } from "./day-clock.js";
import { COLOURS, courierAt, DayMap, drawDiamond, drawMark, drawRestaurant } from "./day-map.js";
import { fill, h, refill, setText } from "./dom.js";
import { age, number, shortId, stateName } from "./format.js";
import { lifecycle, untouched, urgency, whyLate } from "./lifecycle.js";
import { Orders } from "./live.js";
import { link } from "./router.js";
import { table } from "./table.js";

/** @typedef {import("./types.js").Day} Day */
/** @typedef {import("./types.js").Order} Order */
/** @typedef {import("./types.js").Lifecycle} Lifecycle */

const NO_FILTER = { q: "", restaurantId: "", customerId: "", shipperId: "", available: false };
const COUNTED_EVERY = 1_000;
const MOST_ROWS = 50;
const MARK = 20;
const OTHER_MARKS = [
  ["late", "Late"],
  ["couriers", "Couriers at work"],
  ["restaurants", "Restaurants"],
];
const WIDE = "(min-width: 70rem)";

class DayView extends HTMLElement {
  /** @type {Orders | null} */
  #orders = null;
  /** @type {Lifecycle | null} */
  #rules = null;
  /** @type {Day | null} */
  #day = null;
  /** @type {DayMap | null} */
  #map = null;
  #stopped = new AbortController();
  #counting = 0;
  #frame = 0;
  #drawnAt = 0;
  #wasOver = false;
  #problem = h("p", { class: "problem", role: "alert" });
  #progress = h("p", { class: "status" });
  #left = h("div", { role: "status" });
  #canvas = h("canvas", { class: "map", role: "img", "aria-label": "Map of the day" });
  #near = h("p", { class: "quiet" });
  #legend = h("ul", { class: "marks" });
  #tables = h("div");
  #details = h(
    "details",
    { ontoggle: () => this.#count() },
    h("summary", null, "The same as tables"),
    this.#tables,
  );

  connectedCallback() {
    fill(
      this,
      h("h1", null, "The day"),
      this.#problem,
      this.#progress,
      this.#left,
      h(
        "div",
        { class: "day" },
        h("section", { class: "panel", "aria-label": "Map" }, this.#legend, this.#canvas, this.#near),
        h("section", { class: "panel", "aria-label": "Tables" }, this.#details),
      ),
    );
    this.#details.open = matchMedia(WIDE).matches;
    this.#canvas.addEventListener("pointermove", (event) => this.#pointed(event));
    this.#canvas.addEventListener("click", (event) => {
      const id = this.#map?.orderNear(event.offsetX, event.offsetY);
      if (id) location.hash = link(["orders", id]);
    });
    this.#counting = setInterval(() => this.#count(), COUNTED_EVERY);
    this.#orders = new Orders(NO_FILTER, () => {});
    this.#read();
    const draw = () => {
      this.#draw();
      this.#frame = requestAnimationFrame(draw);
    };
    draw();
  }

  disconnectedCallback() {
    this.#stopped.abort();
    this.#orders?.stop();
    clearInterval(this.#counting);
    cancelAnimationFrame(this.#frame);
  }

  async #read() {
    try {
      const [rules, day] = await Promise.all([
        lifecycle(),
        call("board/day", { signal: this.#stopped.signal }),
      ]);
      setText(this.#problem, "");
      this.#rules = rules;
      this.#day = day;
      this.#map = new DayMap(this.#canvas, day);
      this.#makeLegend(rules);
      this.#count();
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      setText(this.#problem, `The map cannot be read: ${error instanceof Error ? error.message : error}`);
      if (!isRefusal(error)) setTimeout(() => this.#read(), READ_AGAIN);
    }
  }

  /** Draw each frame, or once a second for people who want less motion. */
  #draw() {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (isCalm && performance.now() - this.#drawnAt < 1_000) return;
    if (this.#map === null || this.#rules === null || this.#orders === null) return;
    this.#drawnAt = performance.now();
    this.#map.draw(this.#orders.byId.values(), this.#rules, now());
  }

  /** @param {Lifecycle} rules */
  #makeLegend(rules) {
    const marks = [...rules.states.map(({ state }) => [state, stateName(state)]), ...OTHER_MARKS];
    fill(
      this.#legend,
      marks.map(([state, name]) => {
        const mark = h("canvas", { width: MARK, height: MARK, "aria-hidden": "true" });
        return h("li", { "data-state": state }, mark, h("span", null, name), " ", h("strong", null, "0"));
      }),
    );
    this.#drawLegend();
  }

  #drawLegend() {
    const style = getComputedStyle(this);
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.#legend.children)) {
      const context = item.querySelector("canvas")?.getContext("2d");
      const state = item.dataset.state ?? "";
      if (!context) continue;
      context.clearRect(0, 0, MARK, MARK);
      const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
      if (state === "late") {
        context.beginPath();
        context.arc(MARK / 2, MARK / 2, 8, 0, 2 * Math.PI);
        context.strokeStyle = colour("--late");
        context.lineWidth = 3;
        context.stroke();
      } else if (state === "couriers") drawDiamond(context, MARK / 2, MARK / 2, colour("--ink"), true);
      else if (state === "restaurants") drawRestaurant(context, MARK / 2, MARK / 2, colour("--quiet"));
      else drawMark(context, state, MARK / 2, MARK / 2, colour(COLOURS[state] ?? "--ink"));
    }
  }

  /** Say how many there are of each, and what the tables have. */
  #count() {
    const orders = this.#orders;
    const rules = this.#rules;
    const day = this.#day;
    if (orders === null || rules === null || day === null) return;
    const at = now();
    /** @type {Map<string, number>} */
    const counts = new Map(rules.states.map(({ state }) => [state, 0]));
    let late = 0;
    for (const order of orders.byId.values()) {
      counts.set(order.state, (counts.get(order.state) ?? 0) + 1);
      if (urgency(order, rules, at) === "late") late += 1;
    }
    for (const [state, here] of counts) counts.set(state, orders.total(state, here).orders);
    const second = (at - Date.parse(day.midnight)) / 1000;
    counts.set("late", late);
    counts.set("restaurants", day.restaurants.length);
    counts.set("couriers", day.couriers.filter((courier) => courierAt(courier, second) !== null).length);
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.#legend.children)) {
      const value = item.querySelector("strong");
      if (value !== null) setText(value, number(counts.get(item.dataset.state ?? "") ?? 0));
    }
    const text = [...counts].map(([state, count]) => `${count} ${state.replaceAll("_", " ")}`).join(", ");
    this.#canvas.setAttribute("aria-label", `Map of the day: ${text}. The tables below it say the same.`);
    this.#drawLegend();
    this.#say();
    if (this.#details.open) this.#fillTables(orders, rules, day, at);
  }

  #say() {
    const clock = dayClock();
    if (clock === null || this.#day === null) return;
    const done = clock.planned === 0 ? 0 : Math.floor((100 * clock.steps) / clock.planned);
    const begins = clock.planned === 0 ? " It begins in a moment." : "";
    setText(
      this.#progress,
      clock.isOver
        ? `${this.#day.name}: the day is over, and its clock runs as any other.`
        : `${this.#day.name}: ${done} % of its steps are done.${begins}`,
    );
    if (clock.left.length > 0 && !this.#wasOver) {
      this.#wasOver = true;
      fill(
        this.#left,
        h(
          "div",
          { class: "panel left" },
          h("p", null, clock.left[0]),
          h(
            "ul",
            null,
            clock.left.slice(1).map((line) => h("li", null, line)),
          ),
          h("a", { href: "#/orders" }, "To the orders"),
          " · ",
          h("a", { href: "#/operation" }, "To the operation"),
        ),
      );
      this.#read(); // the map has more places now
    }
  }

  /** @param {Orders} orders @param {Lifecycle} rules @param {Day} day @param {number} at */
  #fillTables(orders, rules, day, at) {
    const open = [...orders.byId.values()].filter((order) => urgency(order, rules, at) !== "final");
    const rows = open
      .sort((a, b) => untouched(b, at) - untouched(a, at))
      .slice(0, MOST_ROWS)
      .map((order) => [
        h("a", { href: link(["orders", order.orderId]) }, shortId(order.orderId)),
        stateName(order.state) + (urgency(order, rules, at) === "late" ? `, late: ${whyLate(order, rules, at)}` : ""),
        order.restaurantId + (order.shipperId === null ? "" : ` → ${order.shipperId}`),
        age(untouched(order, at)),
      ]);
    const second = (at - Date.parse(day.midnight)) / 1000;
    const couriers = day.couriers.flatMap((courier) => {
      const place = courierAt(courier, second);
      if (place === null) return [];
      const where = `${Math.round(place.x)} m east, ${Math.round(place.y)} m north`;
      return [[courier.id, place.to === null ? "stands" : "on a way", where]];
    });
    refill(
      this.#tables,
      h("h2", null, "Open orders"),
      table("Open orders", ["Order", "State", "From", "#For"], rows),
      h("h2", null, "Couriers at work"),
      couriers.length === 0
        ? h("p", null, "None.")
        : table("Couriers at work", ["Courier", "Now", "Place"], couriers.slice(0, MOST_ROWS)),
    );
  }

  /** @param {PointerEvent} event */
  #pointed(event) {
    const id = this.#map?.orderNear(event.offsetX, event.offsetY) ?? null;
    const order = id === null ? undefined : this.#orders?.byId.get(id);
    this.#canvas.classList.toggle("pointing", order !== undefined);
    setText(
      this.#near,
      order === undefined
        ? ""
        : `${order.orderId}: ${stateName(order.state)}, for ${order.customerName ?? order.userId}, from ${order.restaurantId}`,
    );
  }
}

customElements.define("day-view", DayView);
