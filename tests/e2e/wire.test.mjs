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

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n';
for (const [what, raw, reason, httpStatus] of [
  ['a whole answer with trailers is an acknowledgement', `${HEAD}X-Sum: 1\r\nX-More: 2\r\n\r\n`, null, 200],
  ['trailers without an end are cut off', HEAD + 'X-Sum: 0123456789\r\n'.repeat(20000), 'response_too_large', 200],
  ['many short trailers are cut off before they take much memory', HEAD + 'a:\r\n'.repeat(20000), 'response_too_large', 200],
  ['a head without an end is cut off', `HTTP/1.1 200 OK\r\n${'X-Pad: 0123456789\r\n'.repeat(20000)}`, 'response_too_large', 200],
  ['interim answers without an end are cut off', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(20000), 'response_too_large', 103],
  ['a line of the head without an end is the receiver\'s doing', `HTTP/1.1 200 OK\r\nX-Pad: ${'x'.repeat(300000)}`, 'response_too_large', 200],
]) {
  inWorld(what, async ({ daemon, to }) => {
    const webhook = await daemon.activeWebhook(to);
    to.onEvent = { raw };
    const published = await daemon.publish(event());
    await daemon.settle();
    const { attempts } = await daemon.deliveryOf(published, webhook);
    assert.deepEqual(attempts.map((attempt) => [attempt.reason, attempt.http_status]), [[reason, httpStatus]]);
    assert.ok(attempts[0].duration_ms < 2500, `it did not take the time limit: ${attempts[0].duration_ms} ms`);
  });
}
