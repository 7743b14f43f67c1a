// The cap on verify requests to one host: webhooks that anybody may create cannot be used to flood a stranger, and
// what is over the cap waits for its turn.
import assert from 'node:assert/strict';
import { event, events } from './lib/shapes.mjs';
import { inWorld } from './lib/suite.mjs';
import { until } from './lib/wait.mjs';

const CAP = 3;
const settings = { set: { verify_per_host_max: CAP } };
const MINUTE_US = 60e6;

/** How many requests came in each minute of the service's clock, counted from the first. */
function perMinute(requests) {
  const first = Math.min(...requests.map((one) => one.micros));
  const minutes = [];
  for (const one of requests) {
    const minute = Math.floor((one.micros - first) / MINUTE_US);
    minutes[minute] = (minutes[minute] ?? 0) + 1;
  }
  return [...minutes].map((count) => count ?? 0);
}

inWorld('more webhooks than the cap: the first go out at once, the others in the minutes that follow, none is lost', settings, async ({ daemon, to }) => {
  const created = [];
  for (let i = 0; i < 8; i++) created.push(await daemon.createWebhook({ url: `${to.url}`, event_types: ['work_created'] }));
  await daemon.settle();
  assert.equal(to.verifies().length, CAP);
  await until(() => (daemon.stderr.match(/info verify_postponed .* delay_ms=60000/g) ?? []).length === 5, 5000, () => `5 that wait\n${daemon.stderrTail()}`);
  assert.equal(await daemon.metric('verifies_postponed_total'), 5);
  await daemon.advance(59999);
  assert.equal(to.verifies().length, CAP);
  await daemon.advance(1);
  assert.equal(to.verifies().length, 2 * CAP);
  await daemon.advance(60000);
  assert.deepEqual(perMinute(to.verifies()), [CAP, CAP, 2]);
  for (const { id } of created) assert.equal((await daemon.webhook(id)).status, 'active');
});

inWorld('receivers that never echo get no more than the cap in any minute, updates and activations included', settings, async ({ daemon, to }) => {
  to.onVerify = { status: 500, body: 'no' };
  const created = [];
  for (let i = 0; i < 4; i++) created.push(await daemon.createWebhook({ url: to.url, event_types: ['work_created'] }));
  for (let i = 0; i < 20; i++) {
    const { id } = created[i % created.length];
    await daemon.update(id, i % 2 ? { url: to.url } : { action: 'activate' });
    await daemon.advance(11000);
  }
  const minutes = perMinute(to.verifies());
  assert.ok(minutes.length >= 3, `minutes ${minutes}`);
  assert.ok(minutes.every((count) => count <= CAP), `at most ${CAP} a minute, saw ${minutes}`);
  assert.ok(minutes.slice(0, 3).every((count) => count === CAP), `the cap is used, saw ${minutes}`);
});

inWorld('many names of one address count together; another address does not wait', settings, async ({ daemon, receiver, to }) => {
  const { port } = receiver;
  for (const host of ['127.0.0.1', 'localhost', '127.0.0.1', 'localhost']) {
    await daemon.createWebhook({ url: `http://${host}:${port}/hook`, event_types: ['work_created'] });
  }
  await daemon.settle();
  assert.equal(to.verifies().length, CAP, 'by its address');
  assert.equal(receiver.connections, CAP, 'what has to wait does not even connect');
  const other = await daemon.createWebhook({ url: `http://127.0.0.2:${port}/hook`, event_types: ['work_created'] });
  await daemon.settle();
  await until(() => daemon.stderr.includes(`verify_ended webhook=${other.id} outcome=connection_refused`), 5000, () => `a request to 127.0.0.2\n${daemon.stderrTail()}`);
  await daemon.advance(60000);
  assert.equal(to.verifies().length, CAP + 1);
});

inWorld('on a connection that is open already the address is counted, too', { set: { verify_per_host_max: 1 } }, async ({ daemon, receiver, to }) => {
  const url = to.url.replace('127.0.0.1', 'localhost');
  const { id } = await daemon.activeWebhook(to, { url });
  await daemon.advance(60000);
  await daemon.createWebhook({ url: receiver.endpoint('/second').url, event_types: ['work_created'] });
  await daemon.settle(); // the address has had its one of this minute, the name has not
  await daemon.publish(event());
  await daemon.settle();
  const { connections } = receiver; // the last one of them stays open for a moment
  await daemon.update(id, { url });
  await daemon.settle();
  assert.deepEqual([to.verifies().length, receiver.connections], [1, connections]);
  await daemon.advance(60000);
  assert.equal(to.verifies().length, 2);
  assert.equal((await daemon.webhook(id)).status, 'active');
});

inWorld('events are not counted: the cap is about verify requests alone', { set: { verify_per_host_max: 1 } }, async ({ daemon, to }) => {
  await daemon.activeWebhook(to);
  await daemon.publishAll(events(50));
  await daemon.settle();
  assert.equal(to.events().length, 50);
});

inWorld('a name is counted also where it leads nowhere: no flood of look-ups', { set: { verify_per_host_max: 1 } }, async ({ daemon }) => {
  for (let i = 0; i < 3; i++) await daemon.createWebhook({ url: 'https://nobody.invalid/', event_types: ['work_created'] });
  await daemon.settle();
  const count = (pattern) => (daemon.stderr.match(pattern) ?? []).length;
  await until(() => count(/verify_postponed/g) === 2, 5000, () => `two that wait\n${daemon.stderrTail()}`);
  assert.equal(count(/verify_ended .* outcome=dns_failure/g), 1);
});
