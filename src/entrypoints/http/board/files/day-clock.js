// The clock of a simulated day that people watch. While there is one, it is the clock of the whole board.

import { call, currentSession, now, setClock } from "./api.js";
import { fill, h, setText } from "./dom.js";

/** @typedef {import("./types.js").DayClock} DayClock */

const CLOCK = "board/day/clock";
const EVERY = 1_000;
const EVERY_AT_MAX = 250;
const DRAWN_EVERY = 200;
/** @type {[string, number | null][]} */
const SPEEDS = [
  ["×60", 60],
  ["×600", 600],
  ["max", null],
];

/** @type {DayClock | null} */
let latest = null;
let readAt = 0;

/** The clock as it was read last. */
export const dayClock = () => latest;

/** @param {DayClock} clock */
function keep(clock) {
  const before = latest;
  const passed = Date.now() - readAt;
  latest = clock;
  readAt = Date.now();
  const time = Date.parse(clock.time);
  let rate = clock.paused ? 0 : (clock.speed ?? 0);
  if (clock.speed === null && !clock.paused && before !== null && passed > 0) {
    rate = Math.max(0, (time - Date.parse(before.time)) / passed); // as fast as it was since then
  }
  setClock(time, rate);
  dispatchEvent(new CustomEvent("day-clock"));
}

/** The time of the day, how fast it runs, and the buttons that change that. */
class DayClockElement extends HTMLElement {
  #stopped = new AbortController();
  #reading = 0;
  #drawing = 0;
  #isLost = false;
  #time = h("strong", { class: "day-time" });
  #note = h("span", { class: "quiet" });
  #pause = h("button", { type: "button", onclick: () => this.#pauses() });
  #speeds = SPEEDS.map(([name, speed]) =>
    h("button", { type: "button", class: "toggle", onclick: () => this.#change(speed, false) }, name),
  );

  connectedCallback() {
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", "Clock of the simulated day");
    const mayChange = currentSession()?.role === "admin";
    fill(this, this.#time, this.#note, ...(mayChange ? [this.#pause, ...this.#speeds] : []));
    this.#drawing = setInterval(() => this.#draw(), DRAWN_EVERY);
    this.#read();
  }

  disconnectedCallback() {
    this.#stopped.abort();
    clearTimeout(this.#reading);
    clearInterval(this.#drawing);
  }

  async #read() {
    try {
      keep(await call(CLOCK, { signal: this.#stopped.signal }));
      this.#isLost = false;
    } catch {
      if (this.#stopped.signal.aborted) return;
      this.#isLost = true;
      setClock(now(), 0);
    }
    this.#draw();
    const isFast = latest !== null && latest.speed === null && !latest.paused;
    this.#reading = setTimeout(() => this.#read(), isFast ? EVERY_AT_MAX : EVERY);
  }

  #pauses() {
    if (latest !== null) this.#change(latest.speed, !latest.paused);
  }

  /** @param {number | null} speed @param {boolean} paused */
  async #change(speed, paused) {
    try {
      keep(await call(CLOCK, { method: "PUT", body: { speed, paused } }));
    } catch {
      this.#isLost = true; // the clock is read again in a moment
    }
    this.#draw();
  }

  #draw() {
    const clock = latest;
    if (clock === null) return;
    setText(this.#time, new Date(now()).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }));
    setText(this.#note, this.#isLost ? "the service does not answer" : clock.isOver ? "the day is over" : "");
    setText(this.#pause, clock.paused ? "Go on" : "Pause");
    for (const button of [this.#pause, ...this.#speeds]) button.hidden = clock.isOver;
    for (const [index, button] of this.#speeds.entries()) {
      button.setAttribute("aria-pressed", String(clock.speed === SPEEDS[index]?.[1]));
    }
  }
}

customElements.define("day-clock", DayClockElement);
