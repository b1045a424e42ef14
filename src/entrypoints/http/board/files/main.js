// The frame of the board: who is logged in, the views, and the way between them.

import { currentSession, logOut, readSession } from "./api.js";
import { custom, fill, h } from "./dom.js";
import { link, place } from "./router.js";
import "./day-clock.js";
import "./day-view.js";
import "./figures-view.js";
import "./log-in.js";
import "./operation-view.js";
import "./order-view.js";
import "./orders-view.js";

/** @typedef {HTMLElement & {show?: (place: import("./router.js").Place) => void}} View */

/** @type {{name: string, title: string, tag: string, roles: string[] | null, ofDay?: boolean}[]} */
const VIEWS = [
  { name: "day", title: "The day", tag: "day-view", roles: ["admin"], ofDay: true },
  { name: "orders", title: "Orders", tag: "orders-view", roles: null },
  { name: "figures", title: "Figures", tag: "figures-view", roles: ["admin", "restaurant"] },
  { name: "operation", title: "Operation", tag: "operation-view", roles: ["admin"] },
];

class BoardApp extends HTMLElement {
  /** @type {View | null} */
  #view = null;
  #shown = "";
  #main = h("main", { id: "main", tabindex: "-1" });

  connectedCallback() {
    addEventListener("hashchange", () => this.#show());
    addEventListener("session-ended", (event) => this.#frame(/** @type {CustomEvent} */ (event).detail));
    this.#begin();
  }

  async #begin() {
    try {
      await readSession();
      this.#frame();
    } catch (error) {
      fill(
        this,
        h(
          "main",
          { class: "narrow" },
          h("h1", null, "orderflow"),
          h(
            "p",
            { class: "problem", role: "alert" },
            `The server cannot be reached: ${error instanceof Error ? error.message : error}`,
          ),
          h("p", null, h("button", { onclick: () => this.#begin() }, "Try again")),
        ),
      );
    }
  }

  /** @param {string} [problem] */
  #frame(problem = "") {
    const session = currentSession();
    this.#view = null;
    this.#shown = "";
    if (!session?.actor) {
      fill(
        this,
        h("main", { id: "main", class: "narrow" }, custom("log-in", { problem, onloggedin: () => this.#frame() })),
      );
      return;
    }
    const views = VIEWS.filter(isVisible);
    fill(
      this,
      h(
        "a",
        { class: "skip", href: "#main", onclick: (/** @type {Event} */ event) => this.#skip(event) },
        "Skip to the content",
      ),
      h(
        "header",
        { class: "bar" },
        h("a", { class: "brand", href: "#/orders" }, "orderflow"),
        h(
          "nav",
          { "aria-label": "Views" },
          views.map(({ name, title }) => h("a", { href: link([name]), "data-view": name }, title)),
        ),
        session.day && custom("day-clock"),
        h("span", { class: "who" }, h("span", { class: "quiet" }, session.role), " ", h("strong", null, session.id)),
        h("button", { class: "plain", onclick: () => this.#leave() }, "Log out"),
      ),
      this.#main,
    );
    this.#show();
  }

  #show() {
    const session = currentSession();
    if (!session?.actor) return;
    const at = place();
    const name = at.path[0] ?? "orders";
    const known = VIEWS.find((view) => view.name === name && isVisible(view));
    const isOrder = name === "orders" && at.path.length > 1;
    const shown = isOrder ? `order ${at.path[1]}` : (known?.name ?? "nowhere");
    if (shown !== this.#shown) {
      const first = this.#shown === "";
      this.#shown = shown;
      if (known === undefined) {
        this.#view = h(
          "section",
          null,
          h("h1", null, "Nothing is here"),
          h("p", null, h("a", { href: "#/orders" }, "To the orders")),
        );
      } else {
        this.#view = /** @type {View} */ (custom(isOrder ? "order-view" : known.tag));
      }
      fill(this.#main, this.#view);
      for (const each of this.querySelectorAll("nav a")) {
        const here = /** @type {HTMLElement} */ (each).dataset.view === name;
        if (here) each.setAttribute("aria-current", "page");
        else each.removeAttribute("aria-current");
      }
      document.title = `${isOrder ? `Order ${at.path[1]}` : (known?.title ?? "Not found")} – orderflow`;
      if (!first) this.#main.focus();
      scrollTo(0, 0);
    }
    this.#view?.show?.(at);
  }

  /** @param {Event} event */
  #skip(event) {
    event.preventDefault(); // the part after "#" is the address of the view
    this.#main.focus();
  }

  async #leave() {
    fill(this); // ends what the views ask for, which would be refused from now on
    await logOut().catch(() => {}); // it has ended already, or the server is away, which is said next
    await this.#begin();
  }
}

/** @param {{roles: string[] | null, ofDay?: boolean}} view */
function isVisible({ roles, ofDay }) {
  const session = currentSession();
  return (!ofDay || session?.day) && (roles === null || roles.includes(session?.role ?? ""));
}

customElements.define("board-app", BoardApp);
