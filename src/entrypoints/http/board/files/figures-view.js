// The figures of the service or of one restaurant, as charts with a table behind each, and as CSV.

import { currentSession, now, query, readExact } from "./api.js";
import { bars, lines } from "./charts.js";
import { explain } from "./dialog.js";
import { fill, h, setText } from "./dom.js";
import { exportButton } from "./download.js";
import { counted, dateTime, duration, money, number, stateName } from "./format.js";
import { setParameters } from "./router.js";
import { table } from "./table.js";

/** @typedef {Record<string, string | null>} Row */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The span of which the API has minutes. */
const LONGEST = 31 * DAY;
const DEFAULT = "day";
/** @type {Record<string, {name: string, span: number | null}>} Without a length, people choose both ends. */
const SPANS = {
  hour: { name: "The last hour", span: HOUR },
  day: { name: "The last day", span: DAY },
  week: { name: "The last 7 days", span: 7 * DAY },
  month: { name: "The last 31 days", span: LONGEST - 1_000 },
  other: { name: "From … until …", span: null },
};
const BUCKETS = 60;
const TOO_LONG = "Orders and revenue over time are there for at most 31 days.";

class FiguresView extends HTMLElement {
  /** Aborted by the next reading: what comes late does not replace what was asked for since. */
  #reading = new AbortController();
  #asked = "";
  #problem = h("p", { class: "problem", role: "alert" });
  #body = h("div");
  /** The address of the CSV of a reading, of the same rows as are shown. @type {(name: string) => string} */
  #exported = (name) => name;
  #span = h("select", {
    id: "span",
    onchange: () => this.#chosen(),
  });
  #begin = this.#moment("begin");
  #end = this.#moment("until");
  #ends = h(
    "span",
    { class: "row", hidden: true },
    h("label", { for: "begin" }, "From", this.#begin),
    h("label", { for: "until" }, "Until", this.#end),
  );
  #restaurant = h("input", {
    id: "of",
    type: "search",
    maxlength: 64,
    placeholder: "all",
    onchange: () => setParameters({ restaurantId: this.#restaurant.value.trim() }),
  });

  connectedCallback() {
    fill(
      this.#span,
      Object.entries(SPANS).map(([value, { name }]) => h("option", { value }, name)),
    );
    const isAdmin = currentSession()?.role === "admin";
    fill(
      this,
      h("h1", null, "Figures"),
      h(
        "form",
        { class: "controls", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
        h("label", { for: "span" }, "Orders of", this.#span),
        this.#ends,
        isAdmin && h("label", { for: "of" }, "Restaurant", this.#restaurant),
        h("button", { type: "button", onclick: () => this.#read() }, "Read again"),
      ),
      this.#problem,
      this.#body,
    );
  }

  disconnectedCallback() {
    this.#reading.abort();
  }

  /** @param {import("./router.js").Place} place */
  show({ parameters }) {
    const asked = parameters.toString();
    if (asked === this.#asked && this.#body.childElementCount > 0) return;
    this.#asked = asked;
    const span = parameters.get("span") ?? DEFAULT;
    this.#span.value = span in SPANS ? span : DEFAULT;
    this.#ends.hidden = SPANS[this.#span.value]?.span !== null;
    this.#begin.value = parameters.get("from") ?? "";
    this.#end.value = parameters.get("until") ?? "";
    this.#restaurant.value = parameters.get("restaurantId") ?? "";
    this.#read();
  }

  /** @param {string} id */
  #moment(id) {
    return h("input", { id, type: "datetime-local", onchange: () => this.#chosen() });
  }

  #chosen() {
    const isOther = SPANS[this.#span.value]?.span === null;
    if (isOther && this.#begin.value === "") {
      this.#begin.value = local(now() - DAY);
      this.#end.value = local(now() + 59_999); // with the minute that has begun
    }
    const [from, until] = isOther ? [this.#begin.value, this.#end.value] : ["", ""];
    setParameters({ span: this.#span.value === DEFAULT ? "" : this.#span.value, from, until });
  }

  /** The span that is chosen, in milliseconds: an end without a value is now, and a begin without one a day before it. */
  get #chosenSpan() {
    const length = SPANS[this.#span.value]?.span;
    if (length) return { begin: now() - length, end: now() };
    const end = Date.parse(this.#end.value) || now();
    return { begin: Date.parse(this.#begin.value) || end - DAY, end };
  }

  async #read() {
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    const restaurantId = this.#restaurant.value.trim();
    const { begin, end } = this.#chosenSpan;
    if (begin > end) {
      setText(this.#problem, "The times begin after their end.");
      fill(this.#body);
      return;
    }
    const times = { start: new Date(begin).toISOString(), end: new Date(end).toISOString() };
    const of = (/** @type {string} */ name) =>
      readExact(`v1/analytics/${name}${query({ restaurantId, ...times })}`, signal);
    this.#exported = (name) =>
      `v1/analytics/${name}.csv${query({ restaurantId, ...times })}`;
    try {
      const [sales, states, cancellations, deliveries, restaurants] = await Promise.all([
        end - begin > LONGEST ? null : of("minutes"),
        of("states"),
        of("cancellations"),
        of("deliveries"),
        of("restaurants"),
      ]);
      if (signal.aborted) return;
      setText(this.#problem, "");
      fill(
        this.#body,
        sales === null ? h("p", null, TOO_LONG) : this.#sales(sales.minutes, begin, end),
        h(
          "div",
          { class: "two wide" },
          this.#states(states.states),
          this.#deliveries(deliveries),
          this.#cancellations(cancellations.reasons),
          this.#restaurants(restaurants.restaurants),
        ),
      );
    } catch (error) {
      if (!signal.aborted) setText(this.#problem, explain(error));
    }
  }

  /** @param {Row[]} minutes @param {number} begin @param {number} end */
  #sales(minutes, begin, end) {
    const width = Math.max(60_000, (end - begin) / BUCKETS);
    const currencies = [...new Set(minutes.map(({ currency }) => currency ?? ""))];
    const orders = summed(minutes, "orders", begin, end, width);
    const total = minutes.reduce((sum, each) => sum + Number(each.orders), 0);
    const cancelled = minutes.reduce((sum, each) => sum + Number(each.cancelled), 0);
    const revenue = currencies.map((currency) => ({
      name: currency,
      points: summed(
        minutes.filter((each) => each.currency === currency),
        "netRevenue",
        begin,
        end,
        width,
      ),
    }));
    const of = currencies.map((currency) =>
      money(
        minutes.filter((each) => each.currency === currency).reduce((sum, each) => sum + Number(each.netRevenue), 0),
        currency,
      ),
    );
    const summary = `${counted(total, "order")}, ${number(cancelled)} of them cancelled; revenue ${of.join(" and ") || "none"}`;
    return this.#figure(
      "minutes",
      "Orders and revenue",
      [
        h("p", { class: "big" }, summary),
        h("p", { class: "quiet" }, `Orders, in steps of ${duration(width)}`),
        lines({ label: `Orders over time: ${summary}.`, series: [{ name: "orders", points: orders }] }),
        revenue.length > 0 &&
          h("p", { class: "quiet" }, `Revenue without cancelled orders, in steps of ${duration(width)}`),
        revenue.length > 0 && lines({ label: `Revenue over time: ${of.join(" and ")}.`, series: revenue }),
      ],
      ["minute", "currency", "orders", "cancelled", "grossRevenue", "netRevenue"],
      minutes,
    );
  }

  /** @param {Row[]} states */
  #states(states) {
    const shown = states.map((each) => ({
      name: stateName(each.state ?? ""),
      value: Number(each.orders),
      shown: number(Number(each.orders)),
    }));
    const label = `Orders by state now: ${shown.map(({ name, shown: orders }) => `${name} ${orders}`).join(", ")}.`;
    return this.#figure(
      "states",
      "Orders by state, and the seconds in each",
      [bars({ label, bars: shown })],
      ["state", "orders", "left", "mean", "median", "p90"],
      states,
    );
  }

  /** @param {Row} deliveries */
  #deliveries(deliveries) {
    const shown = ["p50", "p90", "p99"].map((name) => ({
      name: `${name.slice(1)} % within`,
      value: Number(deliveries[name] ?? 0),
      shown: deliveries[name] === null ? "–" : `${deliveries[name]} min`,
    }));
    const label = `Delivery times of ${counted(Number(deliveries.orders), "order")}: ${shown.map(({ name, shown: minutes }) => `${name} ${minutes}`).join(", ")}.`;
    const rows = [deliveries];
    return this.#figure(
      "deliveries",
      `Minutes to the delivery of ${counted(Number(deliveries.orders), "order")}`,
      [bars({ label, bars: shown })],
      ["orders", "p50", "p90", "p99"],
      rows,
    );
  }

  /** @param {Row[]} reasons */
  #cancellations(reasons) {
    const shown = reasons
      .slice(0, 10)
      .map((each) => ({ name: each.reason ?? "", value: Number(each.orders), shown: number(Number(each.orders)) }));
    const label = `Cancelled orders by reason: ${shown.map(({ name, shown: orders }) => `${name} ${orders}`).join(", ") || "none"}.`;
    const chart = shown.length === 0 ? h("p", null, "None.") : bars({ label, bars: shown });
    return this.#figure("cancellations", "Cancellations by reason", [chart], ["reason", "orders"], reasons);
  }

  /** @param {Row[]} restaurants */
  #restaurants(restaurants) {
    const most = [...restaurants].sort((a, b) => Number(b.orders) - Number(a.orders)).slice(0, 10);
    const shown = most.map((each) => ({
      name: each.restaurantId ?? "",
      value: Number(each.orders),
      shown: `${number(Number(each.orders))}, ${money(Number(each.netRevenue), each.currency ?? "")}`,
    }));
    const label = `Restaurants with the most orders: ${shown.map(({ name, shown: orders }) => `${name} ${orders}`).join("; ") || "none"}.`;
    const chart = shown.length === 0 ? h("p", null, "None.") : bars({ label, bars: shown });
    return this.#figure(
      "restaurants",
      "Restaurants",
      [chart],
      ["restaurantId", "currency", "orders", "cancelled", "grossRevenue", "netRevenue"],
      restaurants,
    );
  }

  /**
   * @param {string} name @param {string} title @param {import("./dom.js").Child[]} charts
   * @param {string[]} columns @param {Row[]} rows
   */
  #figure(name, title, charts, columns, rows) {
    const behind = h("details", {
      ontoggle: () => {
        if (behind.childElementCount > 1) return;
        const cells = rows
          .slice(0, 1_000)
          .map((row) => columns.map((column) => (column === "minute" ? dateTime(row[column]) : (row[column] ?? "–"))));
        const isText = (/** @type {string} */ column) =>
          ["state", "reason", "restaurantId", "minute", "currency"].includes(column);
        behind.append(
          table(
            title,
            columns.map((column) => (isText(column) ? column : `#${column}`)),
            cells,
          ),
        );
      },
    });
    behind.append(h("summary", null, `Table (${number(rows.length)})`));
    return h(
      "section",
      { class: "panel", "aria-labelledby": `figure-${name}` },
      h("h2", { id: `figure-${name}` }, title),
      charts,
      h(
        "p",
        null,
        exportButton(() => ({ path: this.#exported(name), name: `${name}.csv` })),
      ),
      behind,
    );
  }
}

/** A time as the field of the form has it: of this browser's zone. @param {number} at */
function local(at) {
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/**
 * The sums of a column over time. Minutes without orders count as none.
 * @param {Row[]} minutes @param {string} column @param {number} begin @param {number} end @param {number} width
 */
function summed(minutes, column, begin, end, width) {
  const sums = new Array(Math.ceil((end - begin) / width)).fill(0);
  for (const each of minutes) {
    const at = Math.min(sums.length - 1, Math.max(0, Math.floor((Date.parse(each.minute ?? "") - begin) / width)));
    sums[at] += Number(each[column]);
  }
  return sums.map((value, index) => ({ at: begin + (index + 0.5) * width, value }));
}

customElements.define("figures-view", FiguresView);
