// One order: its facts, its way, its events, and what the person may do with it now. It follows the order live.

import { call, currentSession, isRefusal, now, orderPath, query, READ_AGAIN } from "./api.js";
import { explain } from "./dialog.js";
import { fill, h, refill, setText } from "./dom.js";
import { age, dateTime, duration, stateName } from "./format.js";
import { lifecycle, untouched, urgency, whyLate } from "./lifecycle.js";
import { orderActions } from "./order-actions.js";
import { facts } from "./order-facts.js";
import { timeline } from "./order-timeline.js";
import { latestOrders } from "./router.js";
import { stateDiagram } from "./state-diagram.js";
import { follow } from "./stream.js";

/** @typedef {import("./types.js").Order} Order */
/** @typedef {import("./types.js").TimelineEvent} TimelineEvent */
/** @typedef {import("./types.js").Lifecycle} Lifecycle */

const STEPS = 1_000;
const TRACED_AGAIN = 1_500;
const LONGEST_PAUSE = 30_000;

class OrderView extends HTMLElement {
  #id = "";
  #stopped = new AbortController();
  #reading = false;
  #isOpen = true;
  #again = false;
  /** @type {Order | null} */
  #order = null;
  /** @type {Lifecycle | null} */
  #rules = null;
  /** @type {TimelineEvent[]} */
  #events = [];
  #asked = 0;
  #ticking = 0;
  #tracing = 0;
  #title = h("h1");
  #problem = h("p", { class: "problem", role: "alert" });
  #status = h("p", { class: "status", role: "status" }, "Reading the order …");
  #body = h("div", { hidden: true });
  #age = h("p", { class: "age-line" });
  #diagram = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "State diagram" });
  #actions = h("div");
  #facts = h("div");
  #timeline = h("div");
  #slider = h("input", { id: "as-of", type: "range", min: 0, max: STEPS, value: STEPS, oninput: () => this.#slid() });
  #asOf = h("div", { "aria-live": "polite" });

  connectedCallback() {
    fill(
      this,
      h("p", null, h("a", { href: latestOrders() }, "← Orders")),
      this.#title,
      this.#problem,
      this.#status,
      this.#body,
    );
    fill(
      this.#body,
      this.#age,
      h("section", { class: "panel", "aria-label": "The way of the order" }, this.#diagram),
      h(
        "div",
        { class: "two" },
        h("section", { class: "panel", "aria-labelledby": "facts" }, h("h2", { id: "facts" }, "Order"), this.#facts),
        h(
          "div",
          null,
          h(
            "section",
            { class: "panel", "aria-labelledby": "what-now" },
            h("h2", { id: "what-now" }, "What you can do now"),
            this.#actions,
          ),
          h(
            "section",
            { class: "panel", "aria-labelledby": "earlier" },
            h("h2", { id: "earlier" }, "As it was"),
            h("label", { for: "as-of" }, "From the order to its latest event", this.#slider),
            h(
              "div",
              { class: "row" },
              h("button", { class: "plain", onclick: () => this.#jump(-1) }, "← Event before"),
              h("button", { class: "plain", onclick: () => this.#jump(1) }, "Next event →"),
            ),
            this.#asOf,
          ),
        ),
      ),
      h(
        "section",
        { class: "panel", "aria-labelledby": "events" },
        h("h2", { id: "events" }, "Timeline"),
        this.#timeline,
      ),
    );
    this.#ticking = setInterval(() => this.#tick(), 1_000);
  }

  disconnectedCallback() {
    this.#stopped.abort();
    clearInterval(this.#ticking);
    clearTimeout(this.#tracing);
  }

  /** @param {import("./router.js").Place} place */
  show(place) {
    if (this.#id !== "") return;
    this.#id = place.path[1] ?? "";
    setText(this.#title, `Order ${this.#id}`);
    this.#read();
    this.#follow();
  }

  async #follow() {
    await follow(`${orderPath(this.#id)}/stream`, {
      signal: this.#stopped.signal,
      receive: ({ id }) => {
        if (Number(id) > (this.#order?.version ?? 0)) this.#read();
      },
      status: (isOpen) => {
        this.#isOpen = isOpen;
        this.#say();
      },
    });
  }

  /** Say whether what is shown is up to date; of an order that has ended nothing more is to come. */
  #say() {
    this.#body.hidden = this.#order === null;
    if (this.#order === null) {
      setText(this.#status, this.#problem.textContent === "" ? "Reading the order …" : "");
      return;
    }
    const hasEnded = this.#urgency() === "final";
    const isFresh = this.#isOpen || hasEnded;
    setText(this.#status, hasEnded ? "" : isFresh ? "Live" : "The connection is interrupted. What you see may be old.");
    this.#status.dataset.status = isFresh ? "live" : "interrupted";
  }

  /** Read everything that is shown; changes meanwhile are read after it, once. */
  async #read() {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    clearTimeout(this.#tracing);
    try {
      const path = orderPath(this.#id);
      const signal = this.#stopped.signal;
      const isAdmin = currentSession()?.role === "admin";
      const [rules, order, events, actions, notified, traced] = await Promise.all([
        lifecycle(),
        call(path, { signal }),
        call(`${path}/timeline`, { signal }),
        call(`${path}/actions`, { signal }),
        call(`v1/notifications${query({ orderId: this.#id })}`, { signal }),
        isAdmin ? call(`${path}/trace`, { signal }) : null,
      ]);
      if (signal.aborted) return;
      this.#rules = rules;
      this.#order = order;
      this.#events = events.events;
      setText(this.#problem, "");
      this.#draw(actions, notified.notifications, traced);
      this.#readLater(traced, notified.notifications);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      setText(this.#problem, explain(error));
      this.#say();
      if (!isRefusal(error)) this.#tracing = setTimeout(() => this.#read(), READ_AGAIN);
    } finally {
      this.#reading = false;
      if (this.#again) {
        this.#again = false;
        this.#read();
      }
    }
  }

  /**
   * What the consumers make of the latest event comes a moment after it, and a notification when it is due.
   *
   * @param {any} traced
   * @param {import("./types.js").Notification[]} notifications
   */
  #readLater(traced, notifications) {
    const waits = traced?.events.some((/** @type {any} */ each) =>
      each.handled.some((/** @type {any} */ it) => it.state === "waiting"),
    );
    const due = notifications.flatMap(({ status, dueAt }) =>
      status === "pending" && dueAt !== null ? [Date.parse(dueAt) - Date.now()] : [],
    );
    if (!waits && due.length === 0) return;
    const pause = waits ? TRACED_AGAIN : Math.min(Math.max(TRACED_AGAIN, Math.min(...due)), LONGEST_PAUSE);
    this.#tracing = setTimeout(() => this.#read(), pause);
  }

  /** @param {any} actions @param {import("./types.js").Notification[]} notifications @param {any} traced */
  #draw(actions, notifications, traced) {
    const order = /** @type {Order} */ (this.#order);
    const rules = /** @type {Lifecycle} */ (this.#rules);
    const first = rules.states[0]?.state ?? "";
    const states = [
      first,
      ...this.#events
        .filter(({ event }) => event.type === "order.state_changed")
        .map(({ event }) => event.data.newState),
    ];
    fill(this.#diagram, stateDiagram(rules, { states, current: order.state }));
    fill(this.#facts, facts(order));
    const session = currentSession();
    const self = session?.role === "shipper" ? session.id : null;
    refill(this.#actions, orderActions(order, actions, { role: session?.role ?? "", self, changed: () => this.#read() }));
    const traces = new Map((traced?.events ?? []).map((/** @type {any} */ each) => [each.sequence, each]));
    const details = () =>
      /** @type {NodeListOf<HTMLDetailsElement>} */ (this.#timeline.querySelectorAll("details[data-key]"));
    const open = new Set([...details()].filter((each) => each.open).map((each) => each.dataset.key));
    refill(
      this.#timeline,
      (traced?.notes ?? []).map((/** @type {string} */ note) => h("p", { class: "quiet" }, note)),
      timeline(this.#events, { traces, notifications }, order.currency),
    );
    for (const each of details()) each.open = open.has(each.dataset.key);
    this.#slid();
    this.#tick();
    this.#say();
  }

  #urgency() {
    return this.#order === null || this.#rules === null ? "fine" : urgency(this.#order, this.#rules, now());
  }

  #tick() {
    const order = this.#order;
    if (order === null) return;
    const level = this.#urgency();
    this.#age.dataset.urgency = level;
    const since = level === "final" ? dateTime(order.updatedAt) : `for ${age(untouched(order, now()))}`;
    const late = level === "late" && this.#rules !== null ? `, late: ${whyLate(order, this.#rules, now())}` : "";
    setText(this.#age, `${stateName(order.state)} ${since}${level === "soon" ? ", soon late" : late}`);
  }

  /** The moment at which the slider stands, in milliseconds. */
  #moment() {
    const begin = Date.parse(this.#order?.createdAt ?? "");
    const end = Date.parse(this.#order?.updatedAt ?? "");
    return begin + ((end - begin) * Number(this.#slider.value)) / STEPS;
  }

  /** @param {number} direction */
  #jump(direction) {
    const moments = [...new Set(this.#events.map(({ event }) => Date.parse(event.occurredAt)))];
    const at = Math.round(this.#moment());
    const next =
      direction > 0 ? moments.find((moment) => moment > at + 1) : moments.reverse().find((moment) => moment < at - 1);
    const begin = moments.at(direction > 0 ? 0 : -1) ?? at;
    const end = moments.at(direction > 0 ? -1 : 0) ?? at;
    const target = next ?? (direction > 0 ? end : begin);
    this.#slider.value = String(end === begin ? STEPS : Math.ceil(((target - begin) / (end - begin)) * STEPS));
    this.#slid();
  }

  async #slid() {
    const order = this.#order;
    if (order === null) return;
    this.#asked += 1;
    const asked = this.#asked;
    const at = Number(this.#slider.value) >= STEPS ? Date.parse(order.updatedAt) + 1 : Math.ceil(this.#moment()) + 1; // times have microseconds
    const text = new Date(at).toISOString();
    this.#slider.setAttribute("aria-valuetext", dateTime(text));
    await new Promise((resolve) => setTimeout(resolve, 80));
    if (asked !== this.#asked) return;
    try {
      const past = await call(`${orderPath(this.#id)}${query({ asOf: text })}`, { signal: this.#stopped.signal });
      if (asked !== this.#asked) return;
      fill(
        this.#asOf,
        h(
          "p",
          null,
          h("strong", null, stateName(past.state)),
          ` at ${dateTime(text)}, ${duration(at - Date.parse(order.createdAt))} after the order`,
        ),
        h(
          "p",
          { class: "quiet" },
          `version ${past.version} · payment ${past.paymentStatus} · ${past.shipperId === null ? "no shipper" : `shipper ${past.shipperId}`}`,
        ),
      );
    } catch (error) {
      if (asked === this.#asked && !this.#stopped.signal.aborted)
        fill(this.#asOf, h("p", { class: "problem" }, explain(error)));
    }
  }
}

customElements.define("order-view", OrderView);
