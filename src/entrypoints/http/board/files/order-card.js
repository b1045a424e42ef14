// One order in a column or a list.

import { now } from "./api.js";
import { h, setText } from "./dom.js";
import { age, money, shortId, shortened, stateName, time } from "./format.js";
import { untouched, urgency, whyLate } from "./lifecycle.js";
import { link } from "./router.js";

/** @typedef {import("./types.js").Order} Order */
/** @typedef {import("./types.js").Lifecycle} Lifecycle */

const LINES = 3;

export class OrderCard {
  element;
  /** @type {Order} */
  #order;
  #age = h("span", { class: "age" });
  #flag = h("span", { class: "flag" });
  #facts = h("span", { class: "facts" });
  #food = h("span", { class: "food" });
  #total = h("span", { class: "total" });
  #state = h("span", { class: "state" });

  /** @param {Order} order @param {{role: string | null, named: boolean}} options ``named``: it says its state */
  constructor(order, { role, named }) {
    this.#order = order;
    this.role = role;
    this.element = h(
      "li",
      { class: "card" },
      h(
        "a",
        { href: link(["orders", order.orderId]) },
        h(
          "span",
          { class: "line" },
          h("span", { class: "id", title: order.orderId }, h("bdi", null, shortId(order.orderId))), // cut at its begin
          this.#age,
        ),
        this.#flag,
        named && this.#state,
        this.#food,
        h("span", { class: "line" }, this.#facts, this.#total),
      ),
    );
    this.#fill();
  }

  /** @param {Order} order */
  set order(order) {
    if (order.version === this.#order.version) return;
    this.#order = order;
    this.#fill();
  }

  /** Show the age, and how urgent that is. Returns whether the latter is new. @param {Lifecycle} rules */
  tick(rules) {
    const order = this.#order;
    const at = now();
    const level = urgency(order, rules, at);
    const isNew = this.element.dataset.urgency !== level;
    if (isNew) this.element.dataset.urgency = level;
    if (level === "final") {
      setText(this.#age, time(order.updatedAt));
      setText(this.#flag, "");
      return isNew;
    }
    setText(this.#age, age(untouched(order, at)));
    setText(this.#flag, level === "late" ? `late: ${whyLate(order, rules, at)}` : level === "soon" ? "soon late" : "");
    return isNew;
  }

  #fill() {
    const order = this.#order;
    const names = order.orderDetails
      .slice(0, LINES)
      .map(({ quantity, foodName }) => `${quantity} × ${shortened(foodName, 60)}`);
    const more = order.orderDetails.length - names.length;
    setText(this.#food, names.join(", ") + (more > 0 ? ` and ${more} more` : ""));
    setText(this.#total, money(order.totalPrice, order.currency));
    setText(this.#state, stateName(order.state));
    const parties = [
      this.role === "restaurant" ? "" : order.restaurantId,
      this.role === "shipper" ? place(order) : order.shipperId === null ? "" : `→ ${order.shipperId}`,
      this.role === "customer" ? "" : (order.customerName ?? order.userId),
    ];
    setText(this.#facts, parties.filter(Boolean).join(" · "));
  }
}

/** @param {Order} order */
const place = (order) => (order.address ? `${order.address.street}, ${order.address.city}` : "");
