// Logging in with a token or, in development mode, by choosing who to be.

import { currentSession, logIn } from "./api.js";
import { fill, h } from "./dom.js";
import { place, setParameters } from "./router.js";

const ROLES = ["admin", "restaurant", "shipper", "customer"];

class LogIn extends HTMLElement {
  connectedCallback() {
    const development = currentSession()?.development ?? false;
    const problem = h("p", { class: "problem", role: "alert" }, this.getAttribute("problem"));
    const token = h("input", {
      id: "token",
      type: "password",
      autocomplete: "current-password",
      spellcheck: "false",
      required: true,
    });
    const role = h(
      "select",
      { id: "role" },
      ROLES.map((name) => h("option", null, name)),
    );
    const id = h("input", {
      id: "actor",
      value: "me",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      maxlength: 64,
    });

    /** @param {{token: string} | {actor: string}} as */
    const enter = async (as) => {
      problem.textContent = "";
      try {
        await logIn(as);
        this.dispatchEvent(new CustomEvent("loggedin"));
      } catch (error) {
        problem.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    /** @param {SubmitEvent} event */
    const byToken = (event) => {
      event.preventDefault();
      enter({ token: token.value.trim() });
    };
    /** @param {SubmitEvent} event */
    const asActor = (event) => {
      event.preventDefault();
      enter({ actor: `${role.value}:${id.value.trim()}` });
    };
    fill(
      this,
      h("h1", null, "orderflow"),
      problem,
      development &&
        h(
          "form",
          { class: "stack panel", onsubmit: asActor },
          h("h2", null, "Development mode"),
          h("p", { class: "quiet" }, "On this machine you choose who you are."),
          h("div", { class: "row" }, h("label", { for: "role" }, "Role", role), h("label", { for: "actor" }, "Id", id)),
          h("button", { class: "main" }, "Enter"),
        ),
      h(
        "form",
        { class: "stack panel", onsubmit: byToken },
        h("h2", null, "Log in"),
        h("label", { for: "token" }, "Token", token),
        h("p", { class: "quiet" }, "An operator makes one with ", h("code", null, "orderflow tokens make"), "."),
        h("button", { class: development ? "" : "main" }, "Log in"),
      ),
    );
    (development ? id : token).focus();
    const as = place().parameters.get("as");
    if (development && as !== null && problem.textContent === "") {
      setParameters({ as: "" }, { replaces: true });
      enter({ actor: as });
    }
  }
}

customElements.define("log-in", LogIn);
