// Calls the API with the session of this page. The session is in a cookie that no script can read; each request also
// carries the text that belongs to it, which another site's page cannot know.

/** @typedef {import("./types.js").SessionView} SessionView */

/** An error that the API has responded with: a problem document of RFC 9457. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Record<string, any>} problem
   */
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server responded with ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** @type {SessionView | null} */
let session = null;
let clock = { time: Date.now(), at: Date.now(), rate: 1 };

/** The time now by the server's clock, in milliseconds. */
export const now = () => clock.time + (Date.now() - clock.at) * clock.rate;

/**
 * Set the server's clock, which runs ``rate`` times as fast as this one: a simulated day has its own pace.
 * @param {number} time
 * @param {number} rate
 */
export function setClock(time, rate) {
  clock = { time, at: Date.now(), rate };
}

export const currentSession = () => session;

/** Read the session of this browser, which may be none. @returns {Promise<SessionView>} */
export async function readSession() {
  return keep(await call("board/session"));
}

/** @param {{token: string} | {actor: string}} as */
export async function logIn(as) {
  keep(await call("board/session", { method: "POST", body: as }));
  const read = await readSession();
  if (read.actor === null) {
    throw new Error(
      "This browser has not kept the session. Away from the server's own machine it does so over HTTPS only.",
    );
  }
  return read;
}

export async function logOut() {
  await call("board/session", { method: "DELETE" });
  session = null;
}

/**
 * Send a request and return what its response says.
 * @param {string} path relative to this page
 * @param {{method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function call(path, options = {}) {
  const response = await send(path, options);
  return response.status === 204 ? null : response.json();
}

/**
 * Read a response with its numbers as the texts that were sent: no digit of an amount is lost.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export async function readExact(path, signal) {
  const text = await (await send(path, { signal })).text();
  /** @param {string} _ @param {unknown} value @param {{source?: string}} [context] */
  const exact = (_, value, context) => (typeof value === "number" ? (context?.source ?? String(value)) : value);
  return JSON.parse(text, /** @type {any} */ (exact));
}

/**
 * Send a request and return its response. Raises ApiError if it is refused.
 * @param {string} path relative to this page
 * @param {{method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 */
export async function send(path, { method = "GET", body, headers = {}, signal } = {}) {
  /** @type {Record<string, string>} */
  const all = { ...headers };
  if (session?.csrfToken) all["X-CSRF-Token"] = session.csrfToken;
  if (body !== undefined) all["Content-Type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, headers: all, body: sent, signal, cache: "no-store" });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && session?.actor) {
    session = null;
    dispatchEvent(new CustomEvent("session-ended", { detail: problem.detail }));
  }
  throw new ApiError(response.status, problem);
}

/** Milliseconds after which a view reads again what it could not read. */
export const READ_AGAIN = 2_000;

/**
 * True if the same request would be refused again.
 * @param {unknown} error
 */
export function isRefusal(error) {
  const status = error instanceof ApiError ? error.status : 0;
  return status >= 400 && status < 500 && status !== 429;
}

/**
 * Change something: at most once, also if the request is sent again.
 * @param {string} method
 * @param {string} path
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
export const change = (method, path, body, headers = {}) =>
  call(path, { method, body, headers: { "Idempotency-Key": newKey(), ...headers } });

/**
 * The query of a URL, without the parameters that are empty.
 * @param {Record<string, string | number | boolean | null | undefined>} parameters
 */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}

/** @param {string} id */
export const orderPath = (id) => `v1/orders/${encodeURIComponent(id)}`;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {SessionView} read */
function keep(read) {
  setClock(Date.parse(read.time), 1);
  session = read;
  return read;
}
