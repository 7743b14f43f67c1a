// What libcurl must not do on its own: send a request again on a fresh connection when one that was used before breaks.
import assert from 'node:assert/strict';
import { inWorld } from './lib/suite.mjs';
import { event } from './lib/shapes.mjs';

inWorld('an attempt is one POST: a connection that breaks without an answer is a failed attempt, not a hidden second one', async ({ daemon, to }) => {
  const webhook = await daemon.activeWebhook(to); // the verify request has opened the connection that is used again
  to.break({ reset: true });
  const published = await daemon.publish(event());
  await daemon.settle();
  assert.equal(to.events().length, 1, 'the receiver has read it once');
  assert.equal(to.events()[0].port, to.verifies()[0].port, 'on the connection of the verify request');
  const { attempts } = await daemon.deliveryOf(published, webhook);
  assert.deepEqual(attempts.map((attempt) => attempt.reason), ['connection_reset']);
  to.heal();
  const { attempts: later } = await daemon.advance(30000);
  assert.equal(later, 1);
  assert.equal(to.events().length, 2);
});
