// usage: node tests/kill/kill.mjs [--seed N] [--cycles N]
//
// The kill loop: a daemon under load is killed with -9 at a random moment, started again on the same data, killed again ...;
// at the end everything drains and the trace checker judges all lives together.
//
// A cycle: start, publish in random batches from three clients while receivers fail, hang, answer late and break connections,
// now and then change, switch off, switch on, delete or create webhooks, kill after 20 to 300 ms. Some cycles are killed while
// they start, in the middle of recovery; some live long enough for time-outs, retries, degraded webhooks and their healing.
//
// The clock is the real one, with the delays of the schedule cut short by settings: what is to be proven is that due times
// survive a crash, and a clock that stands still between lives would prove it of a clock that nobody runs.
import { until } from '../e2e/lib/wait.mjs';
import { Rig, TYPES } from './rig.mjs';
import { scale } from './scale.mjs';

const SETTINGS = {
  verify_offsets_ms: '0,100,300,600,1000,2000,4000,8000',
  verify_window_ms: 60000,
  probe_delay_min_ms: 100,
  probe_delay_max_ms: 500,
};
const TIMES = { attemptTimeoutMs: 1000, retryDelaysMs: [300, 700] };

/** Webhooks that nobody touches, then those that are changed, switched off and deleted. */
const WEBHOOKS = [
  { behaviour: 'good', types: TYPES },
  { behaviour: 'good', types: TYPES.slice(0, 2) },
  { behaviour: 'slow', types: TYPES.slice(1, 3) },
  { behaviour: 'flaky', types: TYPES.slice(2, 4) },
  { behaviour: 'fickle', types: TYPES.slice(3, 5) },
  { behaviour: 'late', types: TYPES.slice(0, 1) },
  { behaviour: 'hanging', types: TYPES.slice(1, 2) },
  { behaviour: 'spells', types: TYPES.slice(4, 5) },
  { behaviour: 'dead', types: TYPES.slice(2, 3) },
  { behaviour: 'good', types: TYPES.slice(0, 3), restless: true },
  { behaviour: 'slow', types: TYPES.slice(1, 4), restless: true, echoes: 7 },
  { behaviour: 'flaky', types: TYPES.slice(2, 5), restless: true },
];
const PUBLISHERS = 3;
const BATCHES = [1, 1, 2, 5, 10, 20, 40];
const EVENTS_PER_CYCLE = 200;
const START_MS = 30000;
const STUCK_MS = 60000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const options = scale(process.argv.slice(2));
const rig = await Rig.start({ seed: options.seed, settings: SETTINGS, ...TIMES });
const { random } = rig;
let up = false;
let over = false;
let budget = 0;
let touching = null; // a change under way

/** Publishes while the daemon is up and the cycle has events left. */
async function publisher() {
  while (!over) {
    await sleep(random.below(20));
    if (!up || budget <= 0) continue;
    const count = random.pick(BATCHES);
    budget -= count;
    await rig.publish(count);
  }
}

/** One thing done to a webhook that may be touched. */
async function touch() {
  const restless = rig.hooks.filter((hook) => hook.restless);
  const hook = random.pick(restless);
  const deed = random.below(10);
  if (hook.off) await rig.activate(hook);
  else if (deed < 5) await rig.change(hook);
  else if (deed < 7) await rig.deactivate(hook);
  else {
    const { behaviour, types, echoes } = WEBHOOKS.filter((w) => w.restless)[restless.indexOf(hook)] ?? WEBHOOKS.at(-1);
    await rig.remove(hook);
    while (!(await rig.create({ behaviour, types, echoes, restless: true }))) continue;
  }
}

/** Kills a daemon that is still starting. */
async function killedEarly() {
  const starting = rig.daemon.start().catch(() => {});
  await sleep(random.below(40));
  await rig.kill();
  await starting;
}

async function cycle() {
  await rig.daemon.start();
  budget = random.between(20, EVENTS_PER_CYCLE);
  up = true;
  if (!touching && random.below(2) === 0) touching = touch().finally(() => (touching = null)); // it may go on in the next life
  await sleep(random.below(15) === 0 ? random.between(1500, 3000) : random.between(20, 300));
  up = false;
  await rig.kill();
}

await rig.daemon.start();
for (const webhook of WEBHOOKS) await rig.create(webhook);
for (const hook of rig.hooks) await rig.daemon.waitActive(hook.id, { ms: START_MS });
await rig.kill();

const publishers = Promise.all(Array.from({ length: PUBLISHERS }, publisher));
publishers.catch(() => {}); // its error is told by the await below
for (let n = 1; n < options.cycles; n++) {
  if (random.below(8) === 0) await killedEarly();
  else await cycle();
}
await rig.daemon.start();
budget = EVENTS_PER_CYCLE;
up = true;
await until(() => budget <= 0, START_MS, 'the last publishes');
over = true;
await publishers;
await touching;
await rig.drain(STUCK_MS);
await rig.list();
if (!(await rig.judge('kill loop'))) process.exit(1);
