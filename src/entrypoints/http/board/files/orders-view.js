// The orders: in columns by state or in a list, the late ones first. Search and filters are in the address.

import { currentSession, now, query } from "./api.js";
import { fill, h, reconcile, setText } from "./dom.js";
import { exportButton } from "./download.js";
import { number, stateName } from "./format.js";
import { lifecycle, untouched, urgency } from "./lifecycle.js";
import { Orders } from "./live.js";
import { OrderCard } from "./order-card.js";
import { rememberOrders, setParameters } from "./router.js";

/** @typedef {import("./types.js").Order} Order */
/** @typedef {import("./types.js").Lifecycle} Lifecycle */

const STEP = 20;
/** On a telephone the columns stand below each other. */
const FIRST_ON_PHONE = 6;
const TYPING = 250;
/** As the API allows. */
const [LONGEST_SEARCH, LONGEST_ID] = [100, 64];
const REDRAWN_EVERY = 3;
/** Milliseconds between two drawings, however many orders change. */
const DRAWN_EVERY = 100;

class OrdersView extends HTMLElement {
  /** @type {Orders | null} */
  #orders = null;
  /** @type {Lifecycle | null} */
  #rules = null;
  /** @type {Map<string, OrderCard>} */
  #cards = new Map();
  /** @type {Map<string, number>} */
  #most = new Map();
  #parameters = new URLSearchParams();
  #asked = "";
  #drawing = false;
  #drawn = 0;
  #status = h("p", { class: "status", role: "status" });
  #columns = h("div", { class: "columns" });
  #controls = h("form", {
    class: "controls",
    role: "search",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
  });
  #ticking = 0;
  #typing = 0;

  connectedCallback() {
    const session = currentSession();
    fill(
      this,
      h("h1", null, this.#title(session?.role ?? "", session?.id ?? "")),
      this.#controls,
      this.#status,
      this.#columns,
    );
    let ticks = 0;
    this.#ticking = setInterval(() => {
      ticks += 1;
      if (this.#rules === null && ticks % REDRAWN_EVERY === 0) this.#readRules();
      if (this.#tick() || ticks % REDRAWN_EVERY === 0) this.#changed(); // what becomes late comes first
    }, 1_000);
    document.addEventListener("keydown", this.#slash);
  }

  disconnectedCallback() {
    clearInterval(this.#ticking);
    clearTimeout(this.#typing);
    document.removeEventListener("keydown", this.#slash);
    this.#orders?.stop();
  }

  /** @param {import("./router.js").Place} place */
  async show(place) {
    const first = this.#controls.childElementCount === 0;
    this.#parameters = place.parameters;
    rememberOrders();
    if (first) this.#makeControls();
    this.#fillControls();
    const filter = {
      q: place.parameters.get("q") ?? "",
      restaurantId: place.parameters.get("restaurantId") ?? "",
      customerId: place.parameters.get("customerId") ?? "",
      shipperId: place.parameters.get("shipperId") ?? "",
      available: place.parameters.get("show") === "available",
    };
    const asked = JSON.stringify(filter);
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#orders?.stop();
      this.#orders = new Orders(filter, () => this.#changed());
      this.#most.clear();
    }
    await this.#readRules();
  }

  async #readRules() {
    try {
      this.#rules = await lifecycle();
      this.#changed();
    } catch (error) {
      setText(
        this.#status,
        `The rules of the service cannot be read: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  /** @param {string} role @param {string} id */
  #title(role, id) {
    if (role === "restaurant") return `Orders of ${id}`;
    if (role === "customer") return "My orders";
    if (role === "shipper") return "My deliveries";
    return "Orders";
  }

  #makeControls() {
    const session = currentSession();
    const isAdmin = session?.role === "admin";
    /** @param {string} name @param {string} label @param {string} placeholder @param {number} [most] */
    const text = (name, label, placeholder, most = LONGEST_ID) =>
      h(
        "label",
        null,
        label,
        h("input", {
          type: "search",
          name,
          placeholder,
          autocomplete: "off",
          spellcheck: "false",
          maxlength: most,
          oninput: (/** @type {Event} */ event) => this.#typed(/** @type {HTMLInputElement} */ (event.target)),
        }),
      );
    /** @param {string} name @param {string} value @param {string} label */
    const toggle = (name, value, label) =>
      h(
        "button",
        {
          type: "button",
          class: "toggle",
          "data-name": name,
          "data-value": value,
          onclick: () => setParameters({ [name]: this.#parameters.get(name) === value ? "" : value }),
        },
        label,
      );
    fill(
      this.#controls,
      text("q", "Search", "order, name, telephone, restaurant", LONGEST_SEARCH),
      isAdmin && text("restaurantId", "Restaurant", "id"),
      isAdmin && text("shipperId", "Shipper", "id"),
      session?.role === "shipper" && session.availableOrders && toggle("show", "available", "Waiting for a shipper"),
      toggle("late", "true", "Late only"),
      toggle("layout", "list", "As a list"),
      exportButton(() => ({ path: `v1/orders.csv${query(this.#exported)}`, name: "orders.csv" })),
    );
  }

  #fillControls() {
    for (const input of this.#controls.querySelectorAll("input")) {
      const value = this.#parameters.get(input.name) ?? "";
      if (input !== document.activeElement && input.value !== value) input.value = value;
    }
    const toggles = /** @type {NodeListOf<HTMLElement>} */ (this.#controls.querySelectorAll("button.toggle"));
    for (const button of toggles) {
      const pressed = this.#parameters.get(button.dataset.name ?? "") === button.dataset.value;
      button.setAttribute("aria-pressed", String(pressed));
    }
  }

  /** The parameters of the API for what is shown here. */
  get #exported() {
    const of = (/** @type {string} */ name) => this.#parameters.get(name) ?? "";
    const [q, restaurantId, customerId, shipperId] = ["q", "restaurantId", "customerId", "shipperId"].map(of);
    const flags = { available: of("show") === "available" || null, late: of("late") === "true" || null };
    return { q, restaurantId, customerId, shipperId, ...flags };
  }

  /** @param {HTMLInputElement} input */
  #typed(input) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => setParameters({ [input.name]: input.value.trim() }, { replaces: true }), TYPING);
  }

  /** @param {KeyboardEvent} event */
  #slash = (event) => {
    if (event.key !== "/" || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement)
      return;
    event.preventDefault();
    this.#controls.querySelector("input")?.focus();
  };

  /** Draw once for all changes since the last drawing. */
  #changed() {
    if (this.#drawing) return;
    this.#drawing = true;
    const draw = () => {
      this.#drawing = false;
      this.#drawn = performance.now();
      if (this.isConnected) this.#draw();
    };
    setTimeout(() => requestAnimationFrame(draw), Math.max(0, this.#drawn + DRAWN_EVERY - performance.now()));
  }

  #draw() {
    const rules = this.#rules;
    const orders = this.#orders;
    if (rules === null || orders === null) return;
    const at = now();
    const lateOnly = this.#parameters.get("late") === "true";
    /** @type {Map<string, Order[]>} */
    const byState = new Map(rules.states.map(({ state }) => [state, []]));
    let late = 0;
    for (const order of orders.byId.values()) {
      const isLate = urgency(order, rules, at) === "late";
      if (isLate) late += 1;
      if (!lateOnly || isLate) byState.get(order.state)?.push(order);
    }
    const isList = this.#parameters.get("layout") === "list";
    this.#columns.className = isList ? "columns list" : "columns";
    const final = new Set(rules.states.filter((rule) => rule.final).map(({ state }) => state));
    /** @param {string} state @param {Order[]} found */
    const total = (state, found) =>
      lateOnly ? { orders: found.length, more: false } : orders.total(state, found.length);
    const all = [...byState].map(([state, found]) => total(state, found));
    const together = { orders: all.reduce((sum, each) => sum + each.orders, 0), more: all.some((each) => each.more) };
    const columns = isList
      ? [
          {
            key: "all",
            title: "All orders",
            total: together,
            orders: this.#sorted([...byState.values()].flat(), rules, at),
          },
        ]
      : [...byState]
          .filter(([state]) => !(final.has(state) && (lateOnly || this.#parameters.get("show") === "available")))
          .map(([state, found]) => ({
            key: state,
            title: stateName(state),
            total: total(state, found),
            orders: this.#sorted(found, rules, at),
          }));
    const used = new Set();
    reconcile(
      this.#columns,
      columns.map(({ key }) => key),
      (key) => this.#column(key),
    );
    for (const column of columns) this.#fillColumn(column, isList, orders, used);
    for (const key of this.#cards.keys()) if (!used.has(key)) this.#cards.delete(key);
    this.#say(orders, late);
    this.#tick();
  }

  /** @param {Orders} orders @param {number} late */
  #say(orders, late) {
    const texts = {
      connecting: "Reading the orders …",
      refused: `There is no such search: ${orders.problem}.`,
      interrupted: `The connection is interrupted: ${orders.problem}. What you see may be old.`,
      live:
        late === 0
          ? "Live. No order is late."
          : `Live. ${number(late)} ${late === 1 ? "order is" : "orders are"} late.`,
    };
    setText(this.#status, texts[orders.status]);
    this.#status.dataset.status = orders.status;
  }

  /**
   * The late ones first, then what has not changed for the longest; what has ended, the latest first.
   *
   * @param {Order[]} orders @param {Lifecycle} rules @param {number} at
   */
  #sorted(orders, rules, at) {
    const ranks = { late: 0, soon: 1, fine: 1, final: 2 };
    return orders
      .map((order) => ({ order, rank: ranks[urgency(order, rules, at)], age: untouched(order, at) }))
      .sort(
        (a, b) =>
          a.rank - b.rank ||
          (a.rank === 2 ? a.age - b.age : b.age - a.age) ||
          (a.order.orderId < b.order.orderId ? -1 : 1),
      )
      .map(({ order }) => order);
  }

  /** @param {string} key */
  #column(key) {
    const title = h("h2", { id: `column-${key}` });
    const more = h("button", { class: "plain more", onclick: () => this.#more(key) });
    return h(
      "section",
      { class: "column", "aria-labelledby": `column-${key}` },
      title,
      h("p", { class: "quiet none" }),
      h("ol", null),
      more,
    );
  }

  /** @param {string} key */
  #more(key) {
    const last = this.#columns.querySelector(`[data-key="${CSS.escape(key)}"] ol`)?.lastElementChild;
    this.#most.set(key, (this.#most.get(key) ?? firstCards()) + STEP);
    this.#draw();
    /** @type {HTMLElement | null | undefined} */ (last?.nextElementSibling?.querySelector("a"))?.focus({
      preventScroll: true,
    });
  }

  /**
   * @param {{key: string, title: string, total: {orders: number, more: boolean}, orders: Order[]}} column
   * @param {boolean} isList
   * @param {Orders} source
   * @param {Set<string>} used
   */
  #fillColumn({ key, title, total, orders }, isList, source, used) {
    const section = /** @type {HTMLElement} */ (this.#columns.querySelector(`[data-key="${CSS.escape(key)}"]`));
    const [heading, none, list, more] = /** @type {[HTMLElement, HTMLElement, HTMLElement, HTMLElement]} */ ([
      ...section.children,
    ]);
    const shown = orders.slice(0, this.#most.get(key) ?? firstCards());
    const byId = new Map(shown.map((order) => [order.orderId, order]));
    setText(heading, `${title} (${number(total.orders)}${total.more ? "+" : ""})`);
    const isPart = total.orders > orders.length && orders.length > 0;
    const part = isPart ? `The latest ${number(orders.length)}; a search finds the others.` : "";
    setText(none, orders.length > 0 || ["connecting", "refused"].includes(source.status) ? part : "None.");
    const cardKey = (/** @type {string} */ id) => `${key} ${id}`;
    reconcile(list, [...byId.keys()], (id) => {
      const order = /** @type {Order} */ (byId.get(id));
      const card = new OrderCard(order, { role: currentSession()?.role ?? null, named: isList });
      this.#cards.set(cardKey(id), card);
      return card.element;
    });
    for (const [id, order] of byId) {
      used.add(cardKey(id));
      const card = this.#cards.get(cardKey(id));
      if (card !== undefined) card.order = order;
    }
    const left = orders.length - shown.length;
    more.hidden = left <= 0;
    setText(more, left <= 0 ? "" : `Show ${Math.min(STEP, left)} more of ${number(left)}`);
  }

  #tick() {
    if (this.#rules === null) return false;
    let isNew = false;
    for (const card of this.#cards.values()) isNew = card.tick(this.#rules) || isNew;
    return isNew;
  }
}

const firstCards = () => (matchMedia("(max-width: 40rem)").matches ? FIRST_ON_PHONE : STEP);

customElements.define("orders-view", OrdersView);
