// What receivers do to a sender, in one table.
//
// In groups by what they do; each row: what it is called, the outcomes that an attempt may be recorded with, and what the
// receiver does. `answer(socket, context)` is called when a whole request has come; `connect(socket)` as soon as a connection
// is there, in place of reading anything. `tls` is true where the url is https; then `answer` writes inside TLS and `connect`
// outside, on the bare socket. `always` marks what ends only by the time limit of an attempt. A row may do all it wants to one
// connection and must not throw.
//
// Where two outcomes stand, either is right: which of them it is depends on what of a connection's end arrives first.

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';
const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const BLOCK = 'x'.repeat(16384);

/** Writes `piece` for as long as the sender takes it. */
function flood(socket, piece) {
  const bytes = Buffer.from(piece);
  const more = () => {
    while (!socket.destroyed && socket.write(bytes)) continue;
  };
  socket.on('drain', more);
  more();
}

/** Writes `text` byte by byte, one every `everyMs`, then nothing. */
function drip(socket, text, everyMs = 1000) {
  let at = 0;
  const timer = setInterval(() => (at < text.length ? socket.write(text[at++]) : clearInterval(timer)), everyMs);
  socket.on('close', () => clearInterval(timer));
}

const says = (text) => (socket) => socket.write(text);
const saysAndCloses = (text) => (socket) => socket.end(text);
const saysAndResets = (text) => (socket) => socket.write(text, () => socket.resetAndDestroy());
const floods = (head, piece) => (socket) => {
  socket.write(head);
  flood(socket, piece);
};
const later = (ms, act) => (socket) => {
  const timer = setTimeout(() => socket.destroyed || act(socket), ms);
  socket.on('close', () => clearTimeout(timer));
};

const TIMEOUT = { outcomes: ['timeout'], always: true };
const RESET = { outcomes: ['connection_reset'] };
const TOO_LARGE = { outcomes: ['response_too_large'] };
const MALFORMED = { outcomes: ['malformed_response'] };
const ACKNOWLEDGED = { outcomes: ['acknowledged'] };
const TLS_FAILURE = { outcomes: ['tls_failure'], tls: true };

export const HOSTILITIES = {
  'too slow': [
    { name: 'never reads, never answers', ...TIMEOUT, connect: (socket) => socket.pause() },
    { name: 'reads, never answers', ...TIMEOUT, answer: () => {} },
    { name: 'answers after 3.3 s', ...TIMEOUT, answer: later(3300, says(OK)) },
    { name: 'drips the head, a byte a second', ...TIMEOUT, answer: (socket) => drip(socket, OK) },
    { name: 'drips the body, a byte a second', ...TIMEOUT, answer: (socket) => socket.write(`${HEAD}Content-Length: 9\r\n\r\n`) && drip(socket, '123456789') },
    { name: 'drips chunks, one every 100 ms', ...TIMEOUT, answer: (socket) => socket.write(CHUNKED) && drip(socket, '1\r\nx\r\n'.repeat(100), 20) },
    { name: 'drips header lines for ever', ...TIMEOUT, answer: (socket) => socket.write(HEAD) && drip(socket, 'a: b\r\n'.repeat(1000), 5) },
    { name: 'drips interim answers', ...TIMEOUT, answer: (socket) => drip(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100), 5) },
    { name: 'sends all but the last byte', ...TIMEOUT, answer: says(OK.slice(0, -1)) },
    { name: 'sends a head without its empty line', ...TIMEOUT, answer: says(`${HEAD}Content-Length: 0\r\n`) },
    { name: 'announces more than it sends, and waits', ...TIMEOUT, answer: says(`${HEAD}Content-Length: 100\r\n\r\n{}`) },
    { name: 'announces ten terabytes, and waits', ...TIMEOUT, answer: says(`${HEAD}Content-Length: 10000000000000\r\n\r\n{}`) },
    { name: 'leaves the last chunk out', ...TIMEOUT, answer: says(`${CHUNKED}2\r\n{}\r\n`) },
  ],

  'too much': [
    { name: 'an endless body', ...TOO_LARGE, answer: floods(`${HEAD}\r\n`, BLOCK) },
    { name: 'an endless body in chunks', ...TOO_LARGE, answer: floods(CHUNKED, `4000\r\n${BLOCK}\r\n`) },
    { name: 'an endless body in chunks of one byte', ...TOO_LARGE, answer: floods(CHUNKED, '1\r\nx\r\n'.repeat(4096)) },
    { name: 'an endless body with an error', ...TOO_LARGE, answer: floods('HTTP/1.1 500 X\r\n\r\n', BLOCK) },
    { name: 'endless header lines', ...TOO_LARGE, answer: floods(HEAD, 'x-flood: 0123456789\r\n'.repeat(512)) },
    { name: 'endless cookies', ...TOO_LARGE, answer: floods(HEAD, 'Set-Cookie: a=b; Path=/; Max-Age=99999999\r\n'.repeat(256)) },
  ],

  'too much of a head': [
    { name: 'a header line without end', ...TOO_LARGE, answer: floods(`${HEAD}x-long: `, BLOCK) },
    { name: 'a status line without end', ...TOO_LARGE, answer: floods('HTTP/1.1 200 ', BLOCK) },
    { name: 'endless interim answers', ...TOO_LARGE, answer: floods('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(512)) },
    { name: 'endless trailers', ...TOO_LARGE, answer: floods(`${CHUNKED}2\r\n{}\r\n0\r\n`, 'x-trailer: 0123456789\r\n'.repeat(512)) },
    { name: 'an endless chunk extension', ...TIMEOUT, answer: floods(`${CHUNKED}2;`, BLOCK) },
    { name: 'a bomb in gzip is just bytes', ...ACKNOWLEDGED, answer: (socket, { gzip }) => socket.write(`${HEAD}Content-Encoding: gzip\r\nContent-Length: ${gzip.length}\r\n\r\n`) && socket.write(gzip) },
  ],

  'broken off': [
    { name: 'resets on connect', outcomes: ['connection_reset', 'connection_refused'], connect: (socket) => socket.resetAndDestroy() },
    { name: 'closes before it reads', ...RESET, connect: (socket) => socket.destroy() },
    { name: 'closes its half at once and reads on', ...RESET, connect: (socket) => socket.end() && socket.resume() },
    { name: 'resets after the request', ...RESET, answer: (socket) => socket.resetAndDestroy() },
    { name: 'closes after the request', ...RESET, answer: (socket) => socket.destroy() },
    { name: 'closes its half after the request', ...RESET, answer: (socket) => socket.end() },
    { name: 'resets in the head', ...RESET, answer: saysAndResets(`${HEAD}Content-Le`) },
    { name: 'closes in the head', ...RESET, answer: saysAndCloses(`${HEAD}Content-Le`) },
    { name: 'closes in the status line', ...RESET, answer: saysAndCloses('HTTP/1.1 20') },
    { name: 'closes its half before the empty line', ...RESET, answer: saysAndCloses(`${HEAD}Content-Length: 0\r\n`) },
    { name: 'resets in the body', ...RESET, answer: saysAndResets(`${HEAD}Content-Length: 100\r\n\r\n{}`) },
    { name: 'announces more than it sends, and closes', ...RESET, answer: saysAndCloses(`${HEAD}Content-Length: 100\r\n\r\n{}`) },
    { name: 'closes in a chunk', ...RESET, answer: saysAndCloses(`${CHUNKED}ff\r\n{}`) },
    { name: 'closes between chunks', ...RESET, answer: saysAndCloses(`${CHUNKED}2\r\n{}\r\n`) },
    { name: 'answers, and closes the connection that may be used again', outcomes: ['acknowledged', 'connection_reset'], answer: (socket) => socket.write(OK) && later(3, (s) => s.destroy())(socket) },
    { name: 'answers, and resets the connection that may be used again', outcomes: ['acknowledged', 'connection_reset'], answer: (socket) => socket.write(OK) && later(3, (s) => s.resetAndDestroy())(socket) },
  ],

  'lies': [
    { name: 'announces less than it sends', ...ACKNOWLEDGED, answer: says(`${HEAD}Content-Length: 2\r\n\r\n{}${'x'.repeat(1000)}`) },
    { name: 'a negative length', ...MALFORMED, answer: saysAndCloses(`${HEAD}Content-Length: -1\r\n\r\n{}`) },
    { name: 'a length that is no number', ...MALFORMED, answer: saysAndCloses(`${HEAD}Content-Length: two\r\n\r\n{}`) },
    { name: 'a length of 40 digits', ...MALFORMED, answer: saysAndCloses(`${HEAD}Content-Length: ${'9'.repeat(40)}\r\n\r\n{}`) },
    { name: 'two different lengths, the longer last', ...MALFORMED, answer: saysAndCloses(`${HEAD}Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}`) },
    { name: 'two different lengths, the shorter last', ...MALFORMED, answer: saysAndCloses(`${HEAD}Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}`) },
    { name: 'a length and chunks that do not agree', ...ACKNOWLEDGED, answer: says(`${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`) },
    { name: 'chunks of garbage', ...MALFORMED, answer: saysAndCloses(`${CHUNKED}zz\r\n{}\r\n0\r\n\r\n`) },
    { name: 'a chunk of 2^64 bytes', ...MALFORMED, answer: saysAndCloses(`${CHUNKED}10000000000000000\r\n{}\r\n0\r\n\r\n`) },
    { name: 'a chunk longer than it says', ...MALFORMED, answer: saysAndCloses(`${CHUNKED}1\r\n{}\r\n0\r\n\r\n`) },
    { name: 'garbage', ...MALFORMED, answer: saysAndCloses('\x00\xff\x80 what?\r\n\r\n') },
    { name: 'HTTP/0.9', ...MALFORMED, answer: saysAndCloses('<html>200 OK</html>') },
    { name: 'an HTTP version that there is not', ...MALFORMED, answer: saysAndCloses('HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\n{}') },
    { name: 'a status of four digits', ...MALFORMED, answer: saysAndCloses('HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}') },
    { name: 'an upgrade that nobody asked for', ...TIMEOUT, answer: says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n') },
    { name: 'a redirect to itself', outcomes: ['redirect'], answer: (socket, { url }) => socket.write(`HTTP/1.1 307 X\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`) },
    { name: 'a refusal, and an answer for the next request with it', outcomes: ['http_status'], answer: says(`HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n${OK}`) },
  ],

  TLS: [
    { name: 'TLS: accepts and says nothing', ...TIMEOUT, tls: true, connect: (socket) => socket.resume() },
    { name: 'TLS: drips its handshake, a byte a second', ...TIMEOUT, tls: true, connect: (socket) => drip(socket, '\x16\x03\x03\x00\x7a\x02\x00\x00') },
    { name: 'TLS: endless warnings', outcomes: ['tls_failure', 'connection_reset'], tls: true, connect: floods('', '\x15\x03\x03\x00\x02\x01\x5a'.repeat(512)) },
    { name: 'TLS: speaks plain HTTP', ...TLS_FAILURE, connect: saysAndCloses(OK) },
    { name: 'TLS: garbage', ...TLS_FAILURE, connect: (socket) => socket.end(Buffer.alloc(4096, 0xa5)) },
    { name: 'TLS: closes in the handshake', ...TLS_FAILURE, outcomes: ['tls_failure', 'connection_reset'], connect: (socket) => socket.once('data', () => socket.destroy()) },
    { name: 'TLS: resets in the handshake', ...TLS_FAILURE, outcomes: ['tls_failure', 'connection_reset'], connect: (socket) => socket.once('data', () => socket.resetAndDestroy()) },
    { name: 'TLS: never answers the request', ...TIMEOUT, tls: true, answer: () => {} },
    { name: 'TLS: an endless body', ...TOO_LARGE, tls: true, answer: floods(`${HEAD}\r\n`, BLOCK) },
    { name: 'TLS: cut off without a close', ...RESET, tls: true, answer: (socket, { bare }) => socket.write(`${HEAD}Content-Length: 100\r\n\r\n{}`, () => bare.destroy()) },
  ],
};
