// usage: node tests/kill/clean.mjs [--seed N] [--deliveries N]
//
// The clean run: a daemon with the settings that it has by default, receivers that answer, nobody kills anything. Every event
// has to arrive once; the trace checker says so.
import assert from 'node:assert/strict';
import { until } from '../e2e/lib/wait.mjs';
import { Rig, TYPES } from './rig.mjs';
import { scale } from './scale.mjs';

const WEBHOOKS = 10; // each type goes to half of them
const BATCH = 100;
const CLIENTS = 2;
const UNDER_WAY_MAX = 10000;
const START_MS = 30000;
const STUCK_MS = 60000;

const options = scale(process.argv.slice(2));
const rig = await Rig.start({ seed: options.seed });
await rig.daemon.start();
for (let n = 0; n < WEBHOOKS; n++) await rig.create({ behaviour: 'good', types: TYPES.filter((_, m) => (n + m) % 2 === 0) });
for (const hook of rig.hooks) await rig.daemon.waitActive(hook.id, { ms: START_MS });

const began = performance.now();
let told = 0;
async function client() {
  while (told < options.deliveries) {
    await until(() => told - rig.receivers.posts < UNDER_WAY_MAX, START_MS, () => `fewer deliveries under way, ${told - rig.receivers.posts} are`);
    const more = await rig.publish(BATCH);
    told += more;
  }
}
await Promise.all(Array.from({ length: CLIENTS }, client));
await rig.drain(STUCK_MS);
console.error(`${told} deliveries in ${Math.round(performance.now() - began)} ms`);
await rig.list();
const good = await rig.judge('clean run');
assert.ok(told >= options.deliveries);
if (!good) process.exit(1);
