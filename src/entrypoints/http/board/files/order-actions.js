// What the person may do with an order now, as the server says; of the rest, why not and what would help.

import { change, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { actionName, money } from "./format.js";
import { refundBody, refundFields } from "./refund.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Order} Order */

/** @type {Record<string, import("./dialog.js").Field>} */
const FIELDS = {
  reason: { name: "reason", label: "Reason", long: true, hint: "The customer sees it." },
  shipperId: { name: "shipperId", label: "Shipper", most: 64 },
};

/**
 * @param {Order} order
 * @param {{version: number, actions: Action[]}} checked
 * @param {{role: string, self: string | null, changed: () => void}} options ``self``: the shipper who looks at it
 */
export function orderActions(order, { version, actions }, { role, self, changed }) {
  return h(
    "ul",
    { class: "actions" },
    actions.map((action, index) => {
      const reasonId = `refusal-${index}`;
      if (!action.allowed) {
        return h(
          "li",
          null,
          h("button", { disabled: true, "aria-describedby": reasonId }, actionName(action.name)),
          h("span", { id: reasonId, class: "quiet" }, `${action.guard}; ${action.unlock}`),
        );
      }
      const isDanger = action.name === "cancelled";
      const begin = () => {
        const fields =
          action.name === "refund"
            ? refundFields(order, role)
            : action.needs
                .filter((need) => !(need === "shipperId" && self !== null))
                .map((need) => FIELDS[need] ?? { name: need, label: need });
        const question = {
          title: `${actionName(action.name)}: order ${order.orderId}`,
          fields,
          confirm: actionName(action.name),
          danger: isDanger,
        };
        ask(question, async (values) => {
          /** @type {Record<string, string>} */
          const own = self !== null && action.needs.includes("shipperId") ? { shipperId: self } : {};
          await perform(order.orderId, version, action.name, { ...values, ...own });
          changed();
        });
      };
      return h(
        "li",
        null,
        h("button", { class: isDanger ? "danger" : "main", onclick: begin }, actionName(action.name)),
        action.name === "refund" &&
          h("span", { class: "quiet" }, `${money(order.refundable, order.currency)} can be refunded`),
      );
    }),
  );
}

/**
 * @param {string} orderId
 * @param {number} version the action is for this version: of two concurrent actions, one is refused
 * @param {string} name
 * @param {Record<string, string>} values
 */
function perform(orderId, version, name, values) {
  const path = orderPath(orderId);
  const headers = { "If-Match": `"${version}"` };
  if (name === "assign_shipper") return change("PUT", `${path}/shipper`, values, headers);
  if (name === "record_payment") return change("POST", `${path}/payment`, values, headers);
  if (name === "refund") return change("POST", `${path}/refunds`, refundBody(values), headers);
  if (name === "cancelled") return change("POST", `${path}/cancel`, values, headers);
  return change("PATCH", `${path}/state`, { state: name, ...values }, headers);
}
