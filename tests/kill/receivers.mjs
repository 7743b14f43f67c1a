// The receivers of the kill loop and the clean run: one HTTP server on a bare socket, because thousands of POSTs a second go
// through it beside the daemon that makes them.
//
// Owns: what each receiver does (the table below), the judgement of signatures, the log `seen`: one fact a request, written
// when it was answered or its connection broke. A webhook number n has the paths /n/0, /n/1 ...: the path tells which of its
// urls was used, and the secret that fits the signature which of its secrets. Refuses: requests that are not as the contract
// has them, with an exception, which ends the run.
import crypto from 'node:crypto';
import net from 'node:net';

const GOOD = { status: 200 };
const NEVER = { hang: true };

/** What a receiver does with an event: behaviour(random, nowMs) gives {status, delayMs?}, {hang} or {reset}. */
export const BEHAVIOURS = {
  good: () => GOOD,
  slow: (random) => ({ status: 200, delayMs: random.below(300) }),
  flaky: (random) => (random.below(10) < 3 ? { status: 500 } : GOOD),
  fickle: (random) => [GOOD, { status: 301 }, { status: 404 }, { status: 204 }, { status: 503, delayMs: 20 }, { reset: true }][random.below(6)],
  late: (random) => (random.below(4) === 0 ? { status: 200, delayMs: 3000 } : GOOD), // three times the time limit: must not count
  hanging: (random) => (random.below(4) === 0 ? NEVER : GOOD),
  spells: (random, nowMs) => ((nowMs >> 11) & 1 ? { status: 500 } : GOOD), // fails for 2 s, works for 2 s: degrades and heals
  dead: () => ({ status: 500 }),
};

const text = (head, name) => {
  const at = head.indexOf(`\r\n${name}: `);
  return at < 0 ? undefined : head.slice(at + name.length + 4, head.indexOf('\r\n', at + 2));
};

const microseconds = (timestamp) => Date.parse(`${timestamp.slice(0, 23)}Z`) * 1000 + Number(timestamp.slice(23, 26));

export const digest = (bytes) => crypto.createHash('sha1').update(bytes).digest('hex').slice(0, 12);

export class Receivers {
  constructor(log, random) {
    this.log = log;
    this.random = random;
    this.numbers = []; // of webhooks: {secrets, behaviour, echoes, open}
    this.sockets = new Set();
    this.posts = 0;
  }

  async start() {
    this.server = net.createServer({ noDelay: true }, (socket) => this.connection(socket));
    await new Promise((resolve, reject) => this.server.on('error', reject).listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve));
    this.port = this.server.address().port;
    return this;
  }

  /** A new webhook's number; `echoes`: in how many of ten verify requests it echoes the challenge. */
  add(behaviour, secret, echoes = 10) {
    this.numbers.push({ secrets: [secret], behaviour: BEHAVIOURS[behaviour], echoes, open: 0 });
    return this.numbers.length - 1;
  }

  url(number, url) {
    return `http://127.0.0.1:${this.port}/${number}/${url}`;
  }

  connection(socket) {
    let bytes = Buffer.alloc(0);
    this.sockets.add(socket);
    socket.waiting = new Map(); // requests without their answer, and the webhook of each
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(socket);
      for (const fact of socket.waiting.keys()) this.over(socket, fact, { cut: true }); // by the sender: time limit, or kill
    });
    socket.on('data', (chunk) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      for (let used; (used = this.request(socket, bytes)) > 0; ) bytes = bytes.subarray(used);
    });
  }

  /** Takes the request at the front; how many bytes it had, or 0 if it is not whole. */
  request(socket, bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    const head = bytes.latin1Slice(0, end + 2);
    const whole = end + 4 + Number(text(head, 'Content-Length'));
    if (bytes.length < whole) return 0;
    const [, number, url] = /^POST \/(\d+)\/(\d+) HTTP\/1\.1\r\n/.exec(head);
    this.take(socket, Number(number), Number(url), text(head, 'X-DevRev-Signature'), bytes.subarray(end + 4, whole));
    return whole;
  }

  take(socket, number, url, signature, body) {
    const hook = this.numbers[number];
    const secret = hook.secrets.findLastIndex((s) => crypto.createHmac('sha256', s).update(body).digest('hex') === signature);
    const message = JSON.parse(body);
    const at = message.id.lastIndexOf(':event/');
    const fact = {
      fact: message.type === 'verify' ? 'verify' : 'post',
      hook: message.webhook_id.slice(message.webhook_id.lastIndexOf('/') + 1),
      event: message.id.slice(at + 7),
      started_us: microseconds(message.timestamp),
      at_us: Date.now() * 1000,
      url,
      secret,
    };
    socket.waiting.set(fact, hook);
    if (fact.fact === 'verify') this.takeVerify(socket, hook, fact, message.verify.challenge);
    else this.takeEvent(socket, hook, fact, message, body);
  }

  takeVerify(socket, hook, fact, challenge) {
    fact.challenge = challenge;
    fact.echoed = this.random.below(10) < hook.echoes;
    this.answer(socket, fact, { status: 200, body: JSON.stringify({ challenge: fact.echoed ? challenge : 'another' }) });
  }

  takeEvent(socket, hook, fact, message, body) {
    const { type } = message;
    const start = `"type":"${type}","${type}":`;
    this.posts++;
    fact.type = type;
    fact.tag = message[type].nr;
    fact.digest = digest(body.subarray(body.indexOf(start) + start.length, body.length - 1));
    fact.open = ++hook.open;
    const action = hook.behaviour(this.random, Date.now());
    if (action.hang) return;
    if (action.reset) {
      this.over(socket, fact, {});
      socket.resetAndDestroy();
    } else if (action.delayMs > 0) setTimeout(() => this.answer(socket, fact, action), action.delayMs);
    else this.answer(socket, fact, action);
  }

  answer(socket, fact, { status, body = '{}' }) {
    if (!socket.waiting.has(fact)) return; // its connection broke before
    this.over(socket, fact, { status, answered_us: Date.now() * 1000 });
    socket.write(`HTTP/1.1 ${status} X\r\n${status === 204 ? '' : `Content-Length: ${body.length}\r\n`}\r\n${status === 204 ? '' : body}`);
  }

  over(socket, fact, how) {
    if (fact.fact === 'post') socket.waiting.get(fact).open--;
    socket.waiting.delete(fact);
    this.log.write({ ...fact, status: 0, ...how });
  }

  /** Forget the connections of a daemon that was killed. */
  async drop() {
    for (const socket of this.sockets) socket.destroy();
    while (this.sockets.size > 0) await new Promise(setImmediate);
  }

  async close() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    await this.drop();
    await closed;
  }
}
