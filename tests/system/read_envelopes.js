// Reads `kcat -C -J` from standard input and knows nothing of orderflow but its envelope and headers.
// It finds that every order's events stand in order, each once, `sequence` dense from 1 in each order and
// `position` dense from 1 in each bucket; exit 1 and a line on standard error for whatever does not.
"use strict";

const lines = require("fs").readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
const sequences = new Map(); // the last one of each order
const positions = new Map(); // the last one of each bucket
const ids = new Set();
let faults = 0;

function fault(record, problem) {
  faults += 1;
  console.error(`${record.topic}/${record.partition}@${record.offset}: ${problem}`);
}

function next(record, of, key, number, name) {
  const expected = (of.get(key) || 0) + 1;
  if (number !== expected) fault(record, `${name} ${number} of ${key}, expected ${expected}`);
  of.set(key, number);
}

for (const line of lines) {
  const record = JSON.parse(line);
  const event = JSON.parse(record.payload);
  const headers = {};
  for (let at = 0; at < record.headers.length; at += 2) headers[record.headers[at]] = record.headers[at + 1];

  const names = Object.keys(event).filter((name) => name !== "userId").join();
  if (names !== "id,type,orderId,data,occurredAt,version") fault(record, `the envelope has ${names}`);
  if (event.version !== "1.0") fault(record, `version ${event.version}`);
  if (record.key !== event.orderId) fault(record, `key ${record.key}, orderId ${event.orderId}`);
  if (headers.ce_id !== event.id || headers.ce_type !== event.type) fault(record, "headers of another event");
  if (Number.isNaN(Date.parse(event.occurredAt))) fault(record, `occurredAt ${event.occurredAt}`);
  if (ids.has(event.id)) fault(record, `${event.id} again`);
  ids.add(event.id);
  next(record, sequences, event.orderId, Number(headers.sequence), "sequence");
  next(record, positions, headers.bucket, Number(headers.position), "position");
}

console.log(JSON.stringify({ orders: sequences.size, events: lines.length, faults }));
process.exitCode = faults === 0 && lines.length > 0 ? 0 : 1;
