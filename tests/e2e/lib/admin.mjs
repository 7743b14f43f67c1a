// `revhookd admin`: organisations and tokens, on a data directory with or without a daemon.
import assert from 'node:assert/strict';
import { runToEnd } from './daemon.mjs';

/** Run a command to its end: {code, stdout, stderr, body}; `body` is the answer where it is JSON. */
export async function admin(data, words, options) {
  const run = await runToEnd(['admin', ...words, '--data', data], options);
  return { ...run, body: run.stdout.startsWith('{') ? JSON.parse(run.stdout) : undefined };
}

/** A command that must succeed: its answer. */
export async function adminOk(data, ...words) {
  const run = await admin(data, [...words, '--json']);
  assert.equal(run.code, 0, `revhookd admin ${words.join(' ')}: ${run.stdout}${run.stderr}`);
  return run.body;
}

/** An organisation with a token: {id, partition, name, token, tokenId}; `scopes` a list with commas. */
export async function newOrg(data, name, { id, partition, scopes = 'publish,manage,read', expires = 'never' } = {}) {
  const { org } = await adminOk(data, 'org', 'create', name, ...(id ? ['--id', id] : []), ...(partition ? ['--partition', partition] : []));
  return { ...org, ...(await newToken(data, org.id, scopes, expires)) };
}

/** A token of an organisation: {token, tokenId}. */
export async function newToken(data, org, scopes, expires = 'never') {
  const { token } = await adminOk(data, 'token', 'create', '--org', org, '--scopes', scopes, '--expires', expires);
  return { token: token.token, tokenId: token.id };
}
