// The client side: plain requests with every byte under the test's control (fetch adds and forbids headers),
// and raw sockets for what no well-behaved client would send.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const tlsAgent = new https.Agent({ keepAlive: true, maxSockets: 64 });

/** A parsed body, or undefined where the body is not JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * One request. `body` is a string or Buffer sent as it is; nothing is added to `headers` but Content-Length.
 * To a base of https `tls` goes to node:tls ({ca, ...}).
 * Returns {status, reason, headers, text, body}: `body` is the parsed JSON or undefined. `again: false` is for peers that may be
 * killed: then a connection that breaks without an answer does not say that nothing was processed.
 */
export async function request(base, options = {}) {
  try {
    return await requestOnce(base, options);
  } catch (error) {
    // The peer closed an idle connection at the moment it was taken from the pool: nothing was processed.
    if (!error.beforeAnswerOnReusedSocket || options.again === false) throw error;
    return requestOnce(base, options);
  }
}

function requestOnce(base, { method = 'POST', path = '/', headers = {}, body, timeoutMs = 30000, tls }) {
  const { hostname, port, protocol } = new URL(base);
  const host = hostname.replace(/^\[|\]$/g, '');
  const sent = { ...headers };
  const has = (name) => Object.keys(sent).some((key) => key.toLowerCase() === name);
  if (body !== undefined && !has('content-length') && !has('transfer-encoding')) {
    sent['Content-Length'] = Buffer.byteLength(body);
  }
  return new Promise((resolve, reject) => {
    const to = { host, port, method, path, headers: sent, timeout: timeoutMs };
    const over = protocol === 'https:' ? [https, { ...to, agent: tlsAgent, ...tls }] : [http, { ...to, agent }];
    const req = over[0].request(over[1], (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const { statusCode: status, statusMessage: reason } = res;
        resolve({ status, reason, headers: res.headers, text, body: parsed(text) });
      });
    });
    req.on('timeout', () => req.destroy(new Error(`no answer to ${method} ${path} in ${timeoutMs} ms`)));
    req.on('error', (error) => {
      error.beforeAnswerOnReusedSocket = req.reusedSocket && error.code === 'ECONNRESET';
      reject(error);
    });
    req.end(body);
  });
}

/** Forget idle connections, for instance to a daemon that was killed. */
export function closeIdleConnections() {
  agent.destroy();
  tlsAgent.destroy();
}

/**
 * Send raw bytes on a new connection and read one HTTP/1 answer, or what came until the peer closed.
 * `pieces` is an iterable of strings or Buffers; sending stops as soon as an answer has begun, so that a
 * request which is refused by its header need not be sent to its end. Returns {status, headers, text, body}.
 */
export function raw(base, pieces, { timeoutMs = 10000 } = {}) {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) });
    const iterator = pieces[Symbol.iterator]();
    let seen = Buffer.alloc(0);
    let done = false;
    const finish = (error) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.destroy();
      const answer = readAnswer(seen, true);
      if (answer) resolve(answer);
      else reject(error ?? new Error(`closed without an answer; ${seen.length} bytes came`));
    };
    const timer = setTimeout(() => finish(new Error(`no whole answer in ${timeoutMs} ms`)), timeoutMs);
    const pump = () => {
      while (!done && seen.length === 0) {
        const { value, done: over } = iterator.next();
        if (over) return;
        if (!socket.write(value)) {
          socket.once('drain', pump);
          return;
        }
      }
    };
    socket.on('connect', pump);
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      if (readAnswer(seen, false)) finish();
    });
    socket.on('end', () => finish());
    socket.on('error', finish);
    socket.on('close', () => finish());
  });
}

/** One answer out of `bytes`, or null while it is not whole; `closed` accepts a body that only the close ended. */
function readAnswer(bytes, closed) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  let content = bytes.subarray(end + 4);
  const length = headers['content-length'];
  if (length !== undefined && content.length < Number(length)) return null;
  if (length === undefined && !closed) {
    if (!/chunked/i.test(headers['transfer-encoding'] ?? '') || !content.includes('0\r\n\r\n')) return null;
  }
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) content = unchunk(content);
  const text = content.toString('utf8');
  return { status: Number(first.split(' ')[1]), headers, text, body: parsed(text) };
}

function unchunk(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol < 0) break;
    const size = parseInt(bytes.subarray(at, eol).toString('latin1'), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(eol + 2, eol + 2 + size));
    at = eol + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
