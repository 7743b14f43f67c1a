// A webhook receiver on a port of its own: endpoints by path, each with its own behaviour, each recording
// every request it gets. What it does with a request is said by an action:
//
//   {}                     answer 200 with an empty JSON object
//   {status, headers, body} answer that
//   {delayMs}              answer only after that time
//   {hold: true}           answer when the test calls release()
//   {hang: true}           never answer
//   {reset: true}          break the connection (RST) without an answer
//   {close: true}          close the connection (FIN) without an answer
//   {drip: {bytes, everyMs}} send the head, then the body piece by piece
//   {raw: text}            write these bytes to the socket and close it
//
// A verify request is answered with its challenge, unless `onVerify` says otherwise.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { until } from './wait.mjs';

/** The signature of `body` under `secret`: HMAC-SHA256, keyed with the secret's characters, lower-case hex. */
export function sign(secret, body) {
  return crypto.createHmac('sha256', Buffer.from(secret, 'utf8')).update(body).digest('hex');
}

/** One request as it came. */
class Received {
  constructor(req, bytes) {
    this.at = performance.now();
    this.method = req.method;
    this.path = req.url;
    this.headers = req.headers;
    this.rawHeaders = req.rawHeaders;
    this.port = req.socket.remotePort; // tells connections apart
    this.clientName = req.socket.getPeerCertificate?.()?.subject?.CN;
    this.bytes = bytes;
    this.text = bytes.toString('utf8');
    this.signature = req.headers['x-devrev-signature'];
    try {
      this.body = JSON.parse(this.text);
    } catch {
      this.body = undefined;
    }
    this.type = this.body?.type;
    this.id = this.body?.id;
    this.eventKey = this.id?.split(':event/')[1];
  }

  get isVerify() {
    return this.type === 'verify';
  }

  get challenge() {
    return this.body?.verify?.challenge;
  }

  /** The instant of this invocation, in whole microseconds since 1970. */
  get micros() {
    const match = /^(.*)\.(\d{6})Z$/.exec(this.body?.timestamp ?? '');
    assert.ok(match, `a timestamp with 6 digits, saw ${JSON.stringify(this.body?.timestamp)}`);
    return Date.parse(`${match[1]}Z`) * 1000 + Number(match[2]);
  }

  isSignedWith(secret) {
    return this.signature === sign(secret, this.bytes);
  }
}

export class Endpoint {
  constructor(receiver, path) {
    this.receiver = receiver;
    this.path = path;
    this.requests = [];
    this.secret = null;
    this.onEvent = {};
    this.onVerify = null;
    this.held = [];
    this.open = 0;
    this.openMax = 0;
  }

  get url() {
    return `${this.receiver.url}${this.path}`;
  }

  /** Requests that carried an event, in order of arrival; with `type` only those of that type. */
  events(type) {
    return this.requests.filter((r) => !r.isVerify && (type === undefined || r.type === type));
  }

  verifies() {
    return this.requests.filter((r) => r.isVerify);
  }

  /** Event requests by the x of their event id, each in order of arrival. */
  byEvent() {
    const map = new Map();
    for (const r of this.events()) {
      if (!map.has(r.eventKey)) map.set(r.eventKey, []);
      map.get(r.eventKey).push(r);
    }
    return map;
  }

  /** Event requests of one event as the API names it. */
  of(event) {
    const key = (event.id ?? event).split(':event/')[1];
    return this.events().filter((r) => r.eventKey === key);
  }

  clear() {
    this.requests = [];
    this.openMax = this.open;
  }

  /** From now on every event fails (or does what the action says). */
  break(action = { status: 500, body: 'broken' }) {
    this.onEvent = action;
  }

  /** From now on events fail and challenges are not echoed. */
  breakAll(action = { status: 500, body: 'broken' }) {
    this.onEvent = action;
    this.onVerify = action;
  }

  heal() {
    this.onEvent = {};
    this.onVerify = null;
  }

  /** Answer up to `count` held requests, oldest first, with an action or with what a function of the request says. */
  release(count = Infinity, action = {}) {
    for (let done = 0; this.held.length && done < count; done++) {
      const { received, answer } = this.held.shift();
      answer(typeof action === 'function' ? action(received) : action);
    }
  }

  /** Wait until `count` event requests have come (a bounded wait). */
  async waitEvents(count, ms = 5000) {
    await until(
      () => this.events().length >= count,
      ms,
      () => `${count} event requests at ${this.path}, saw ${this.events().length}`,
    );
    return this.events();
  }

  async waitVerifies(count, ms = 5000) {
    await until(
      () => this.verifies().length >= count,
      ms,
      () => `${count} verify requests at ${this.path}, saw ${this.verifies().length}`,
    );
    return this.verifies();
  }

  async waitHeld(count, ms = 2500) {
    await until(() => this.held.length >= count, ms, () => `${count} held requests, saw ${this.held.length}`);
  }

  /** Every request carries the one right signature. */
  assertSigned(secret = this.secret, requests = this.requests) {
    assert.ok(secret, 'the secret of the webhook is known');
    for (const r of requests) {
      const count = r.rawHeaders.filter((h, i) => i % 2 === 0 && h.toLowerCase() === 'x-devrev-signature').length;
      assert.equal(count, 1, `one X-DevRev-Signature header on ${r.text.slice(0, 200)}`);
      assert.equal(r.signature, sign(secret, r.bytes), `the signature of ${r.text.slice(0, 300)}`);
    }
  }

  /** The action for one request. */
  action(received) {
    const rule = received.isVerify ? (this.onVerify ?? echo) : this.onEvent;
    return (typeof rule === 'function' ? rule(received, this) : rule) ?? {};
  }
}

/** The answer that verifies. */
export function echo(received) {
  return { body: JSON.stringify({ challenge: received.challenge }) };
}

export class Receiver {
  /** With `tls` ({key, cert, ...} of node:tls) it speaks https. */
  constructor(tls) {
    this.tls = tls;
    this.endpoints = new Map();
    this.strays = [];
    this.sockets = new Set();
    this.connections = 0; // that there ever were
  }

  async start(port = 0) {
    const options = { keepAliveTimeout: 120000, requestTimeout: 0, ...this.tls };
    this.server = (this.tls ? https : http).createServer(options, (req, res) => this.take(req, res));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      this.connections++;
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      this.server.on('error', reject);
      this.server.listen({ port, host: '127.0.0.1', backlog: 1024 }, resolve);
    });
    this.port = this.server.address().port;
    this.url = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
    return this;
  }

  endpoint(path) {
    if (!this.endpoints.has(path)) this.endpoints.set(path, new Endpoint(this, path));
    return this.endpoints.get(path);
  }

  /** Close the port: connections are refused until reopen(). */
  async close() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  reopen() {
    return this.start(this.port);
  }

  take(req, res) {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('error', () => {});
    req.on('end', () => {
      const received = new Received(req, Buffer.concat(chunks));
      const endpoint = this.endpoints.get(req.url);
      if (!endpoint) {
        this.strays.push(received);
        res.writeHead(404).end();
        return;
      }
      endpoint.requests.push(received);
      if (!received.isVerify) {
        endpoint.open++;
        endpoint.openMax = Math.max(endpoint.openMax, endpoint.open);
        res.on('close', () => endpoint.open--);
      }
      perform(endpoint.action(received), res, endpoint, received);
    });
  }
}

function perform(action, res, endpoint, received) {
  if (action.hold) {
    endpoint.held.push({ received, answer: (then) => perform(then, res, endpoint, received) });
  } else if (action.hang) {
    // The socket stays open until the sender gives up or the receiver closes.
  } else if (action.reset) {
    res.socket.resetAndDestroy();
  } else if (action.close) {
    res.socket.destroy();
  } else if (action.raw !== undefined) {
    res.socket.end(action.raw);
  } else if (action.drip) {
    res.writeHead(action.status ?? 200, { 'Content-Type': 'application/json' });
    res.flushHeaders();
    const timer = setInterval(() => res.write(Buffer.alloc(action.drip.bytes, 32)), action.drip.everyMs);
    res.on('close', () => clearInterval(timer));
  } else if (action.delayMs) {
    const timer = setTimeout(() => perform({ ...action, delayMs: 0 }, res, endpoint, received), action.delayMs);
    res.on('close', () => clearTimeout(timer));
  } else {
    const body = action.body ?? '{}';
    const type = { 'Content-Type': 'application/json' };
    res.writeHead(action.status ?? 200, { ...type, 'Content-Length': Buffer.byteLength(body), ...action.headers });
    res.end(body);
  }
}

export function startReceiver(tls) {
  return new Receiver(tls).start();
}
