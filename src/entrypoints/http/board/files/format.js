// Formats values for people.

/** @type {Record<string, string>} */
const STATES = {
  waiting_for_shipper: "Waiting for a shipper",
  preparing: "Preparing",
  on_the_way: "On the way",
  delivered: "Delivered",
  cancelled: "Cancelled",
};

/** @type {Record<string, string>} */
const ACTIONS = {
  preparing: "Start preparing",
  assign_shipper: "Assign a shipper",
  on_the_way: "Send out",
  delivered: "Mark as delivered",
  record_payment: "Record the payment",
  refund: "Refund",
  cancelled: "Cancel the order",
};

// Making a format takes longer than all else that is drawn.
const NUMBER = new Intl.NumberFormat();
/** @type {Map<string, Intl.NumberFormat>} */
const MONEY = new Map();

/** @param {string} state */
export const stateName = (state) => STATES[state] ?? words(state);

/** @param {string} action */
export const actionName = (action) => ACTIONS[action] ?? words(action);

/** @param {string} name */
export function words(name) {
  const text = name.replaceAll("_", " ").replaceAll(".", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * A duration in words: "8 s", "12 min", "1 h 05 min", "3 d 2 h".
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (seconds < 60) return `${seconds} s`;
  return age(milliseconds);
}

/**
 * An age in whole minutes and more.
 * @param {number} milliseconds
 */
export function age(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * @param {number | null | undefined} amount
 * @param {string} currency
 */
export function money(amount, currency) {
  if (amount === null || amount === undefined) return "";
  try {
    let format = MONEY.get(currency);
    if (format === undefined) {
      format = new Intl.NumberFormat(undefined, { style: "currency", currency });
      MONEY.set(currency, format);
    }
    return format.format(amount);
  } catch {
    return `${amount} ${currency}`; // a currency that this browser does not know
  }
}

/** @param {string | null | undefined} text */
export function time(text) {
  return text
    ? new Date(text).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
    : "";
}

/** @param {string | null | undefined} text */
export function dateTime(text) {
  if (!text) return "";
  return new Date(text).toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

/** @param {number | null | undefined} value */
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));

/**
 * A number of things: "1 order", "1,200 orders".
 * @param {number} value
 * @param {string} noun
 */
export const counted = (value, noun) => `${number(value)} ${value === 1 ? noun : `${noun}s`}`;

/**
 * An id that fits on a card. Of a long one the end: that is what differs between the ids that the service makes.
 * @param {string} id
 */
export const shortId = (id) => (id.length <= 18 ? id : `…${id.slice(-12)}`);

/**
 * The beginning of a long text.
 * @param {string} text
 * @param {number} most
 */
export const shortened = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
