// Reads server-sent events with the session of this page. EventSource cannot send its headers.

import { isRefusal, send } from "./api.js";

/** @typedef {{id: string, type: string, data: string}} Message */

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/**
 * Read a stream, again after each interruption from the last event on, until the signal or the stream's own end (204).
 * @param {string} path
 * @param {{signal: AbortSignal, receive: (message: Message) => void, status?: (isOpen: boolean, problem: string) => void}} options
 */
export async function follow(path, { signal, receive, status = () => {} }) {
  let last = "";
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      /** @type {Record<string, string>} */
      const headers = last === "" ? {} : { "Last-Event-ID": last };
      const response = await send(path, { headers, signal });
      status(true, "");
      if (response.status === 204 || response.body === null) return;
      for await (const message of messages(response.body)) {
        pause = FIRST_PAUSE;
        if (message.id !== "") last = message.id;
        receive(message);
      }
      status(false, "the stream has ended");
    } catch (error) {
      if (signal.aborted) return;
      status(false, error instanceof Error ? error.message : String(error));
      if (isRefusal(error)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

/**
 * The messages of a body, by https://html.spec.whatwg.org/multipage/server-sent-events.html.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Message>}
 */
async function* messages(body) {
  const reader = body
    .pipeThrough(
      /** @type {ReadableWritablePair<string, Uint8Array>} */ (/** @type {unknown} */ (new TextDecoderStream())),
    )
    .getReader();
  let rest = "";
  let message = { id: "", type: "message", data: "" };
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) {
        const line = each.endsWith("\r") ? each.slice(0, -1) : each;
        if (line === "") {
          if (message.data !== "") yield { ...message, data: message.data.slice(0, -1) };
          message = { id: "", type: "message", data: "" };
          continue;
        }
        const at = line.indexOf(":");
        const name = at < 0 ? line : line.slice(0, at);
        const text = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
        if (name === "id") message.id = text;
        else if (name === "event") message.type = text;
        else if (name === "data") message.data += `${text}\n`;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the connection may be gone already
  }
}
