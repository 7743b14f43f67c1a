// The files in schema/sample/: one event per type, laid out as JSON.stringify does it, in the style of DevRev's objects.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

const schema = new URL("../../schema/", import.meta.url);
const types = [...readFileSync(new URL("event_type.def", schema), "utf8").matchAll(/^X\((\w+), [01]\)$/gm)].map((m) => m[1]);
const files = readdirSync(new URL("sample/", schema)).sort();
const events = new Map(
  files.map((file) => {
    const text = readFileSync(new URL(`sample/${file}`, schema), "utf8");
    return [file, { text, event: JSON.parse(text) }];
  }),
);

// Calls visit(path, value) for a value and everything in it.
function walk(path, value, visit) {
  visit(path, value);
  if (value !== null && typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) walk(`${path}.${key}`, inner, visit);
  }
}

test("one file per event type", () => {
  assert.equal(types.length, 76);
  assert.deepEqual(files, types.map((type) => `${type}.json`).sort());
});

test("each file is an event of its type, ready to publish", () => {
  for (const [file, { event }] of events) {
    const type = file.slice(0, -".json".length);
    assert.deepEqual(Object.keys(event), ["type", type], file);
    assert.equal(event.type, type, file);
  }
});

test("a member or element per line, as the build expects it", () => {
  for (const [file, { text, event }] of events) assert.equal(text, `${JSON.stringify(event, null, 2)}\n`, file);
});

test("within an object the type comes first, the rest in alphabetical order", () => {
  for (const { event } of events.values()) {
    walk(event.type, event[event.type], (path, value) => {
      if (value === null || typeof value !== "object" || Array.isArray(value)) return;
      const keys = Object.keys(value);
      const sorted = [...keys].sort((a, b) => (b === "type") - (a === "type") || (a < b ? -1 : 1));
      assert.deepEqual(keys, sorted, path);
    });
  }
});

test("ids are full DONs, dates have milliseconds, secrets are empty", () => {
  const seen = { id: 0, date: 0, secret: 0 };
  for (const { event } of events.values()) {
    walk(event.type, event[event.type], (path, value) => {
      const key = path.split(".").at(-1);
      if (key === "id" && typeof value === "string") {
        assert.match(value, /^don:(core|identity|integration):dvrv-us-1:devo\/0:[a-z_]+\/\w+(:comment\/\w+)?$/, path);
        seen.id += 1;
      }
      if (/_date$|_at$|_time$/.test(key) && typeof value === "string") {
        assert.match(value, /^2025-07-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, path);
        assert.equal(new Date(value).toISOString(), value, path);
        seen.date += 1;
      }
      if (key === "secret") {
        assert.equal(value, "", path);
        seen.secret += 1;
      }
    });
  }
  assert.ok(seen.id > 200 && seen.date > 100, JSON.stringify(seen));
  assert.equal(seen.secret, 2);
});
