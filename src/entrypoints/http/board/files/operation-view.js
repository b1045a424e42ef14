// The operation of the service: processes, lag, rollout, parked orders, findings. Each change asks for a reason.

import { call, currentSession, isRefusal, READ_AGAIN } from "./api.js";
import { lines } from "./charts.js";
import { ask, explain } from "./dialog.js";
import { custom, fill, h, refill, setText } from "./dom.js";
import { counted, dateTime, duration, number } from "./format.js";
import { table } from "./table.js";
import "./dead-letters.js";

const PAUSE = 2_000;
const REASON = { name: "reason", label: "Reason", long: true, hint: "It is recorded with your name." };

const TWO_CLOCKS =
  "The day is simulated: parked orders and errors have its time. Processes, lag and changes by hand have the time of this machine.";

class OperationView extends HTMLElement {
  #stopped = new AbortController();
  #problem = h("p", { class: "problem", role: "alert" });
  #servers = h("p");
  #readers = h("div");
  #chart = h("div");
  #processes = h("div");
  #errors = h("div");
  #rollout = h("div");
  #findings = h("div", null, h("p", { class: "quiet" }, "Not examined yet."));
  #changes = h("div");
  #deadLetters = custom("dead-letters");
  #parked = "";
  #share = "";
  #readings = 0;

  connectedCallback() {
    fill(
      this,
      h("h1", null, "Operation"),
      this.#problem,
      this.#servers,
      currentSession()?.day && h("p", { class: "quiet" }, TWO_CLOCKS),
      section("lag", "Lag", this.#chart, this.#readers),
      section("parked", "Parked orders", this.#deadLetters),
      h(
        "div",
        { class: "two wide" },
        section("rollout", "Rollout", this.#rollout),
        section("errors", "Latest errors", this.#errors),
        section(
          "findings",
          "The doctor",
          h("p", null, h("button", { onclick: (/** @type {Event} */ event) => this.#examine(event) }, "Examine now")),
          this.#findings,
        ),
        section("processes", "Processes", this.#processes),
      ),
      section("changes", "Changes by hand", this.#changes),
    );
    this.#follow();
    this.#readRollout();
    this.#readChanges();
  }

  disconnectedCallback() {
    this.#stopped.abort();
  }

  async #follow() {
    const signal = this.#stopped.signal;
    while (!signal.aborted) {
      try {
        const status = await call("v1/operations/status", { signal });
        setText(
          this.#problem,
          Object.entries(status.unanswered)
            .map(([name, why]) => `${name}: ${why}`)
            .join("; "),
        );
        this.#draw(status);
      } catch (error) {
        if (signal.aborted) return;
        setText(this.#problem, explain(error));
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  /** @param {any} status */
  #draw(status) {
    const rate =
      status.committedPerSecond === null ? "" : `, ${number(Math.round(status.committedPerSecond * 10) / 10)} events/s`;
    const servers = [status.database, status.kafka].filter(Boolean).map((server) => {
      const name = [server.kind, server.version].filter(Boolean).join(" ") || "database";
      return server.problem === "" ? name : `${name}: ${server.problem}`;
    });
    setText(
      this.#servers,
      `orderflow ${status.version} · ${servers.join(" · ")} · ${counted(status.head, "event")} in the log${rate}`,
    );
    this.#drawReaders(status);
    refill(
      this.#processes,
      table(
        "Processes",
        ["Process", "Runs", "Since", "#Failures"],
        (status.processes ?? []).map((/** @type {any} */ it) => [
          `${it.host}, ${it.pid}${it.gone ? `, silent for ${duration(it.silent * 1000)}` : ""}`,
          it.parts
            .map((/** @type {any} */ part) =>
              part.stopped === "" ? part.name : `${part.name} (stopped: ${part.stopped})`,
            )
            .join(", "),
          dateTime(it.since),
          number(it.failures),
        ]),
      ),
    );
    refill(
      this.#errors,
      status.errors.length === 0
        ? h("p", null, "None.")
        : table(
            "Latest errors",
            ["When", "Where", "Error"],
            status.errors.map((/** @type {any} */ it) => [dateTime(it.at), it.where, `${it.code}: ${it.message}`]),
          ),
    );
    // Also at first: what was read when the view opened may be older than the first status.
    const parked = JSON.stringify(status.parked);
    if (parked !== this.#parked) /** @type {any} */ (this.#deadLetters).read();
    this.#parked = parked;
    const share = JSON.stringify([status.publishedPercent, status.paused]);
    if (share !== this.#share) this.#readRollout();
    this.#share = share;
  }

  /** @param {any} status */
  #drawReaders({ readers, history }) {
    if (readers === null) return;
    const names = readers.map((/** @type {any} */ it) => it.reader);
    const series = names.map((/** @type {string} */ name) => ({
      name,
      points: history.map((/** @type {any} */ it) => ({ at: Date.parse(it.at), value: it.events[name] ?? 0 })),
    }));
    const now = readers.map((/** @type {any} */ it) => `${it.reader} ${it.events}`).join(", ");
    fill(
      this.#chart,
      history.length > 1 &&
        lines({ label: `Lag of each reader in events, since the first status request. Now: ${now}.`, series }),
    );
    refill(
      this.#readers,
      table(
        "Lag of each reader",
        ["Reader", "#Events to come", "#Oldest waits", "#Events/s", "#Held back"],
        readers.map((/** @type {any} */ it) => [
          it.paused ? `${it.reader} (paused)` : it.reader,
          number(it.events),
          it.waiting === null ? "–" : duration(it.waiting * 1000),
          it.perSecond === null ? "–" : number(Math.round(it.perSecond * 10) / 10),
          number(it.held),
        ]),
      ),
    );
  }

  async #readRollout() {
    this.#readings += 1;
    const reading = this.#readings;
    try {
      const rollout = await call("v1/operations/rollout", { signal: this.#stopped.signal });
      if (reading !== this.#readings) return; // a later one knows more
      const slider = h("input", {
        id: "share",
        type: "range",
        min: 0,
        max: 100,
        value: rollout.percent,
        oninput: () => setText(chosen, `${slider.value} %`),
      });
      const chosen = h("output", { for: "share" }, `${rollout.percent} %`);
      refill(
        this.#rollout,
        h(
          "p",
          null,
          `The events of ${rollout.percent} % of the orders are published.`,
          rollout.set !== null && h("span", { class: "quiet" }, ` Set by ${rollout.set.by}: ${rollout.set.reason}`),
        ),
        h("label", { for: "share" }, "Publish this share", slider),
        h(
          "p",
          { class: "row" },
          chosen,
          h("button", { onclick: () => this.#publish(Number(slider.value)) }, "Set the share"),
        ),
        table(
          "Consumers",
          ["Consumer", "State", "What to do"],
          rollout.consumers.map((/** @type {any} */ it) => [
            it.consumer,
            it.paused === null ? "running" : `paused by ${it.paused.by}: ${it.paused.reason}`,
            h(
              "button",
              { class: "plain", onclick: () => this.#turn(it.consumer, it.paused !== null) },
              it.paused === null ? "Pause" : "Resume",
            ),
          ]),
        ),
      );
    } catch (error) {
      this.#failed(error, () => this.#readRollout());
    }
  }

  /** @param {number} percent */
  #publish(percent) {
    const text = "What is held back is published, in order, when the share is raised.";
    ask(
      { title: `Publish ${percent} % of the orders`, text, fields: [REASON], confirm: "Set the share" },
      async ({ reason }) => {
        await call("v1/operations/publishing", { method: "PUT", body: { percent, reason } });
        await Promise.all([this.#readRollout(), this.#readChanges()]);
      },
    );
  }

  /** @param {string} consumer @param {boolean} isPaused */
  #turn(consumer, isPaused) {
    const verb = isPaused ? "resume" : "pause";
    const title = `${isPaused ? "Resume" : "Pause"} ${consumer}`;
    ask({ title, fields: [REASON], confirm: isPaused ? "Resume" : "Pause" }, async ({ reason }) => {
      await call(`v1/operations/consumers/${encodeURIComponent(consumer)}/${verb}`, {
        method: "POST",
        body: { reason },
      });
      await Promise.all([this.#readRollout(), this.#readChanges()]);
    });
  }

  /** @param {Event} event */
  async #examine(event) {
    const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
    button.disabled = true;
    try {
      const report = await call("v1/operations/findings", { signal: this.#stopped.signal });
      fill(
        this.#findings,
        report.findings.length === 0
          ? h("p", { role: "status" }, "Nothing is wrong.")
          : h(
              "ul",
              { class: "findings", role: "status" },
              report.findings.map((/** @type {any} */ it) =>
                h(
                  "li",
                  { "data-severity": it.severity },
                  h("strong", null, `${it.severity}: ${it.what}`),
                  h("span", null, it.found),
                  h("span", { class: "quiet" }, `Expected: ${it.expected}. ${it.fix}`),
                ),
              ),
            ),
      );
    } catch (error) {
      if (!this.#stopped.signal.aborted) fill(this.#findings, h("p", { class: "problem" }, explain(error)));
    }
    button.disabled = false;
  }

  async #readChanges() {
    try {
      const { changes } = await call("v1/operations/changes", { signal: this.#stopped.signal });
      refill(
        this.#changes,
        changes.length === 0
          ? h("p", null, "None.")
          : table(
              "Changes by hand",
              ["When", "By", "What", "Why"],
              changes.map((/** @type {any} */ it) => [dateTime(it.at), it.by, `${it.kind}: ${it.what}`, it.reason]),
            ),
      );
    } catch (error) {
      this.#failed(error, () => this.#readChanges());
    }
  }

  /** @param {unknown} error @param {() => void} read */
  #failed(error, read) {
    if (this.#stopped.signal.aborted) return;
    setText(this.#problem, explain(error));
    if (!isRefusal(error)) setTimeout(read, READ_AGAIN);
  }
}

/** @param {string} id @param {string} title @param {...HTMLElement} children */
const section = (id, title, ...children) =>
  h("section", { class: "panel", "aria-labelledby": `title-${id}` }, h("h2", { id: `title-${id}` }, title), children);

customElements.define("operation-view", OperationView);
