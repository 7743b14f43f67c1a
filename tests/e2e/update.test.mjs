// webhooks.update against a model of what it does to event types, headers, status and modified_date: thousands of updates
// made up from a seed, each either carried out as the model says or refused with the field that the model names, and then
// nothing has changed.
import assert from 'node:assert/strict';
import { seeded } from './lib/generate.mjs';
import { EVENT_TYPES } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';

const SEED = Number(process.env.UPDATE_SEED ?? 20250702);
const UPDATES = Number(process.env.UPDATE_COUNT ?? 1000);

const random = seeded(SEED);
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const some = (make, most) => Array.from({ length: below(most + 1) }, make);

/** Few words, so that they meet; names that differ by case alone; now and then more than 8 headers. */
const TYPES = EVENT_TYPES.slice(0, 6);
const NAMES = ['a', 'A', 'b', 'B', 'c', 'd', 'e', 'f', 'g', 'h', 'H', 'i'];
const header = () => ({ name: pick(NAMES), value: pick(['1', '2']) });

function madeUp() {
  const update = {};
  if (below(2)) {
    update.event_types = {};
    if (!below(3)) update.event_types.set = some(() => pick(TYPES), 4);
    if (below(2)) update.event_types.add = some(() => pick(TYPES), 4);
    if (below(2)) update.event_types.remove = some(() => pick(TYPES), 4);
  }
  if (below(2)) {
    update.headers = {};
    if (!below(3)) update.headers.set = some(header, 9);
    if (below(2)) update.headers.add = some(header, 9);
    if (below(2)) update.headers.remove = some(() => pick(NAMES), 9);
  }
  if (!below(15)) update.action = pick(['activate', 'deactivate']);
  return update;
}

const same = (one, other) => one.toLowerCase() === other.toLowerCase();

function headersAfter(before, { set, add = [], remove = [] }) {
  const list = [];
  for (const one of [...(set ?? before), ...add]) {
    const at = list.findIndex(({ name }) => same(name, one.name));
    list.splice(at < 0 ? list.length : at, 1, one);
  }
  return list.filter(({ name }) => !remove.some((gone) => same(gone, name)));
}

/** {refused: field} or {types, headers, status}. */
function expected(webhook, { event_types: types = {}, headers = {}, action }) {
  if (types.set && (types.add || types.remove)) return { refused: 'event_types.set' };
  for (const part of ['set', 'add', 'remove']) if (headers[part]?.length > 8) return { refused: `headers.${part}` };
  const after = headersAfter(webhook.headers ?? [], headers);
  if (after.length > 8) return { refused: 'headers' };
  const subscribed = new Set([...(types.set ?? webhook.event_types), ...(types.add ?? [])]);
  for (const type of types.remove ?? []) subscribed.delete(type);
  const active = webhook.status === 'inactive' ? 'unverified' : webhook.status; // its url answers no challenge
  return { types: EVENT_TYPES.filter((type) => subscribed.has(type)), headers: after, status: { activate: active, deactivate: 'inactive' }[action] ?? webhook.status };
}

const shown = ({ health, ...webhook }) => webhook;
const settings = ({ event_types: types, headers = [], status }) => ({ types, headers, status });

inWorld(`${UPDATES} updates, seed ${SEED}, do what the model does`, async ({ daemon, t }) => {
  t.diagnostic(`UPDATE_SEED=${SEED} UPDATE_COUNT=${UPDATES}`);
  const { id } = await daemon.createWebhook({ url: 'http://127.0.0.1:1/' });
  let webhook = await daemon.webhook(id);
  const counts = { refused: 0, changed: 0, same: 0 };
  for (let n = 0; n < UPDATES; n++) {
    const update = madeUp();
    const { refused, ...after } = expected(webhook, update);
    await daemon.advance(10);
    const res = await daemon.call('webhooks.update', { id, ...update });
    const now = await daemon.webhook(id);
    const told = `update ${n}: ${JSON.stringify(update)} of ${JSON.stringify(shown(webhook))}: ${res.status} ${res.text}`;
    assert.equal(res.body.field_name, refused, told);
    if (refused) {
      assert.deepEqual(shown(now), shown(webhook), told);
      counts.refused++;
      continue;
    }
    assert.deepEqual(shown(res.body.webhook), shown(now), told);
    assert.deepEqual(settings(now), after, told);
    const changed = JSON.stringify(settings(webhook)) !== JSON.stringify(after);
    assert.equal(now.modified_date > webhook.modified_date, changed, `modified_date moves with a change alone; ${told}`);
    counts[changed ? 'changed' : 'same']++;
    webhook = now;
  }
  for (const [what, count] of Object.entries(counts)) assert.ok(count > UPDATES / 20, `${count} were ${what}`);
});
