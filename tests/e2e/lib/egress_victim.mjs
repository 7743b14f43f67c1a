// The machine at the other end in egress_world.mjs: it has every address, answers on a few ports as a webhook receiver
// would, and tells who was called. Run in a network namespace of its own with an IPC channel.
import http from 'node:http';
import https from 'node:https';

const calls = new Map(); // address -> connections

function count(socket) {
  const address = socket.localAddress.replace(/^::ffff:/, '');
  calls.set(address, (calls.get(address) ?? 0) + 1);
}

function answer(req, res) {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('error', () => {});
  req.on('end', () => {
    const to = new URL(req.url, 'http://victim').searchParams.get('to');
    const headers = { Connection: 'close', 'Content-Type': 'application/json' };
    if (to) {
      res.writeHead(302, { ...headers, Location: to }).end();
      return;
    }
    const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    res.writeHead(200, headers).end(JSON.stringify({ challenge: body.verify?.challenge }));
  });
}

const ports = [[80, http.createServer(answer)], [8080, http.createServer(answer)], [443, https.createServer({}, answer)]];
await Promise.all(ports.map(([port, server]) => new Promise((resolve) => {
  server.on('connection', count).on('clientError', (error, socket) => socket.destroy()).listen(port, '::', resolve);
})));
process.on('message', () => process.send(Object.fromEntries(calls)));
process.on('disconnect', () => process.exit(0));
process.send('ready');
