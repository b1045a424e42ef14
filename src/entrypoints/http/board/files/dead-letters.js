// Parked orders by consumer and error: tried again one by one with the progress shown, or dropped.

import { call, isRefusal, READ_AGAIN } from "./api.js";
import { ask, explain } from "./dialog.js";
import { fill, h, refill, setText } from "./dom.js";
import { counted, dateTime, number } from "./format.js";
import { link } from "./router.js";
import { table } from "./table.js";

/** @typedef {{consumer: string, error: string, orders: number, lastFailedAt: string}} Group */
/** @typedef {{consumer: string, orderId: string, sequence: number, type: string, error: string, message: string, attempts: number, lastFailedAt: string}} Parked */
/** @typedef {{orderId: string, events: number, sequence: number, error: string}} Candidate */

const PATH = "v1/operations/dead-letters";
const REASON = { name: "reason", label: "Reason", long: true, hint: "It is recorded with your name." };

class DeadLetters extends HTMLElement {
  #problem = h("p", { class: "problem", role: "alert" });
  #groups = h("div");
  #orders = h("div");
  #progress = h("p", { role: "status", class: "quiet" });
  #shown = { consumer: "", error: "" };
  /** Aborted by the next reading: what comes late does not replace what was asked for since. */
  #reading = new AbortController();

  connectedCallback() {
    fill(this, this.#problem, this.#progress, this.#groups, this.#orders);
    this.read();
  }

  disconnectedCallback() {
    this.#reading.abort();
  }

  async read() {
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    try {
      const { consumer, error } = this.#shown;
      const filter = consumer === "" ? "" : `?${new URLSearchParams({ consumer, error })}`;
      const found = await call(`${PATH}${filter}`, { signal });
      setText(this.#problem, "");
      this.#draw(found.groups, consumer === "" ? [] : found.orders);
    } catch (error) {
      if (signal.aborted) return;
      setText(this.#problem, explain(error));
      if (!isRefusal(error)) setTimeout(() => signal.aborted || this.read(), READ_AGAIN);
    }
  }

  /** @param {Group[]} groups @param {Parked[]} orders */
  #draw(groups, orders) {
    const rows = groups.map((group) => [
      group.consumer,
      group.error,
      number(group.orders),
      dateTime(group.lastFailedAt),
      h(
        "span",
        { class: "row" },
        h("button", { class: "plain", onclick: () => this.#open(group) }, "Show the orders"),
        h("button", { class: "plain", onclick: () => this.#preview(group) }, "Dry run"),
        h("button", { onclick: () => this.#redrive(group) }, group.orders === 1 ? "Redrive it" : `Redrive all ${number(group.orders)}`),
      ),
    ]);
    refill(
      this.#groups,
      groups.length === 0
        ? h("p", null, "No order is parked.")
        : table("Parked orders by error", ["Consumer", "Error", "#Orders", "Last failed", "What to do"], rows),
    );
    const { consumer, error } = this.#shown;
    refill(
      this.#orders,
      orders.length > 0 && h("h3", null, `${consumer}: ${error}${orders.length === 200 ? ", the first 200" : ""}`),
      orders.length > 0 &&
        table(
          "Parked orders",
          ["Order", "Event", "What went wrong", "#Attempts", "Last failed", "What to do"],
          orders.map((order) => [
            h("a", { href: link(["orders", order.orderId]) }, order.orderId),
            `${order.sequence}, ${order.type}`,
            order.message,
            order.attempts,
            dateTime(order.lastFailedAt),
            h(
              "span",
              { class: "row" },
              h("button", { onclick: () => this.#redriveOne(order) }, "Redrive"),
              h("button", { class: "plain", onclick: () => this.#drop(order) }, "Drop"),
            ),
          ]),
        ),
    );
  }

  /** @param {Group} group */
  #open({ consumer, error }) {
    this.#shown = { consumer, error };
    this.read();
  }

  /** @param {Group} group @returns {Promise<{candidates: Candidate[], events: number}>} */
  #plan = ({ consumer, error }) => call(`${PATH}/redrive`, { method: "POST", body: { consumer, error, dryRun: true } });

  /** @param {Group} group */
  async #preview(group) {
    try {
      const plan = await this.#plan(group);
      setText(
        this.#progress,
        `Nothing is changed: ${counted(plan.events, "event")} of ${counted(plan.candidates.length, "order")} would be handled by ${group.consumer}.`,
      );
    } catch (error) {
      setText(this.#progress, explain(error));
    }
  }

  /** @param {Group} group */
  #redrive(group) {
    const title = `Redrive all orders that ${group.consumer} has parked with ${group.error}`;
    ask({ title, fields: [REASON], confirm: "Redrive" }, async ({ reason = "" }) => {
      const plan = await this.#plan(group);
      const orders = plan.candidates.map(({ orderId }) => orderId);
      this.#run(group.consumer, orders, reason);
    });
  }

  /** One order after the other, so that the progress is known. @param {string} consumer @param {string[]} orders @param {string} reason */
  async #run(consumer, orders, reason) {
    let [handled, unparked] = [0, 0];
    /** @type {string[]} */
    const stopped = [];
    for (const [index, orderId] of orders.entries()) {
      setText(this.#progress, `${number(index)} of ${counted(orders.length, "order")} …`);
      try {
        const done = await call(`${PATH}/redrive`, { method: "POST", body: { consumer, orderId, reason } });
        handled += done.events;
        if (done.unparked) unparked += 1;
        else stopped.push(orderId);
      } catch (error) {
        if (/** @type {any} */ (error).status !== 404) {
          setText(this.#progress, `Stopped at order ${orderId}: ${explain(error)}`);
          await this.read();
          return;
        }
      }
    }
    const again =
      stopped.length === 0
        ? ""
        : ` ${number(stopped.length)} failed again: ${stopped.slice(0, 5).join(", ")}${stopped.length > 5 ? " …" : ""}`;
    setText(this.#progress, `${counted(handled, "event")} handled, ${counted(unparked, "order")} unparked.${again}`);
    await this.read();
  }

  /** @param {Parked} order */
  #redriveOne(order) {
    ask(
      { title: `Redrive order ${order.orderId} for ${order.consumer}`, fields: [REASON], confirm: "Redrive" },
      async ({ reason = "" }) => {
        await this.#run(order.consumer, [order.orderId], reason);
      },
    );
  }

  /** @param {Parked} order */
  #drop(order) {
    const text = `${order.consumer} will never handle event ${order.sequence} of this order. The event stays in the log.`;
    const title = `Drop event ${order.sequence} of order ${order.orderId}`;
    ask({ title, text, fields: [REASON], confirm: "Drop it", danger: true }, async ({ reason = "" }) => {
      await call(`${PATH}/drop`, {
        method: "POST",
        body: { consumer: order.consumer, orderId: order.orderId, reason },
      });
      setText(this.#progress, `Event ${order.sequence} of order ${order.orderId} is dropped for ${order.consumer}.`);
      await this.read();
    });
  }
}

customElements.define("dead-letters", DeadLetters);
