// The trace checker: joins what the publisher was told, what the daemon says it did and what the receivers saw.
//
// Owns: the join and the rules of rules.mjs. It reads four logs, in this order, each a sequence of facts:
//
//   told     by the publisher   hook, generation, off, on, publish; kill, which is no answer but his deed
//   daemon   by the daemon      its log in JSON at level trace: starting, stopped, webhook_state, attempt_started, _recorded
//   seen     by the receivers   post, verify: one fact a request, told when it was answered or cut off
//   account  by the API         delivery: what deliveries.list says of each, when everything has drained
//
// How they are joined: a webhook and the x of an event's id name a delivery in all four; the timestamp in the body of a POST is
// the started_us of its attempt. A life is the time between two starts of the daemon; one that does not say `stopped` was ended by
// kill -9, and there must not be more of them than kills. An attempt that was started in such a life, and of which no record is traced, may have been cut off: only such an attempt may be made again, and
// only its record may be missing (the daemon traces a record after its commit, so a kill can come between the two). All of this
// holds whatever the order of lines from different threads.
//
// Times are wall clock of one host. The publisher and the receivers stamp whole milliseconds, rounded down; the rules leave
// that much. The clock must not be stepped during a run.
//
// It shares no code with the service and asks it nothing. Refuses: to guess. What only looks odd is no violation.
import { RULES } from './rules.mjs';

const MS = 1000; // in microseconds
const TOLD_MAX = 5; // violations of one rule that are told in full
const ROUNDING = 2 * MS;

/** `AbCd1234/x` of an event's id on the wire. */
function wireName(id) {
  const event = id.lastIndexOf(':event/');
  return `${id.slice(id.lastIndexOf('/', event) + 1, event)}/${id.slice(event + 7)}`;
}

const isGood = ({ status }) => status >= 200 && status < 300;
const shortOf = (don) => don.slice(don.lastIndexOf('/') + 1);

class Hook {
  constructor(types) {
    this.types = new Set(types);
    this.generations = []; // {url, secret, begunUs, answeredUs, echoedUs, seenUs}
    this.offs = []; // {kind, fromUs, toUs}
    this.healthy = true; // every recorded attempt that reached its receiver was answered 2xx, and it has one generation
    this.openMax = 0; // POSTs at once, as its receiver saw them
    this.cut = false; // some were cut off by the sender, of which the receiver hears after the next has come
    this.state = undefined; // in this life, as far as the trace tells
    this.lastFirst = 0; // key of the newest first attempt of this life
  }

  generation(url, secret) {
    return this.generations.find((g) => g.url === url && g.secret === secret);
  }
}

export class Checker {
  /** `settings`: {attemptTimeoutMs, retryDelaysMs, inFlightMax}, as the daemon had them. */
  constructor(settings) {
    this.settings = settings;
    this.hooks = new Map();
    this.published = new Map(); // tag: {type, digest, x, deliveries, request}
    this.tagOf = new Map(); // x: tag, of events that were answered 202
    this.requests = [];
    this.killed = []; // lives, whether they ended without saying so
    this.life = -1;
    this.deliveries = new Map(); // name: {key, attempts, accounted}
    this.byKey = new Map();
    this.challenges = new Set();
    this.seenTags = new Set();
    this.counts = { cycles: 0, acknowledged: 0, refused: 0, unanswered: 0, posts: 0, verifies: 0, deliveries: 0, delivered: 0, failed: 0, dropped: 0, attempts: 0, retries: 0, cut: 0, lost: 0, duplicates: 0, duplicatesOfCrashes: 0 };
    this.violations = new Map(Object.keys(RULES).map((rule) => [rule, []]));
    this.violationCount = 0;
  }

  violation(rule, text) {
    this.violationCount++;
    const list = this.violations.get(rule);
    if (list.length < TOLD_MAX) list.push(text);
    else list.more = (list.more ?? 0) + 1;
  }

  hook(name) {
    if (!this.hooks.has(name)) this.hooks.set(name, new Hook([]));
    return this.hooks.get(name);
  }

  /** The webhook of a delivery. */
  hookOf(name) {
    return this.hook(name.slice(0, name.indexOf('/')));
  }

  delivery(name) {
    let found = this.deliveries.get(name);
    if (!found) this.deliveries.set(name, (found = { key: 0, attempts: [], account: null }));
    return found;
  }

  // ------------------------------------------------------------------ what the publisher was told

  told(fact) {
    if (fact.fact === 'publish') this.publish(fact);
    else if (fact.fact === 'kill') this.counts.cycles++;
    else if (fact.fact === 'hook') this.hooks.set(fact.hook, new Hook(fact.types));
    else if (fact.fact === 'generation') this.generation(fact);
    else if (fact.fact === 'off') this.hook(fact.hook).offs.push({ kind: fact.kind, fromUs: fact.answered_us ?? Infinity, toUs: Infinity });
    else if (fact.fact === 'on') for (const off of this.hook(fact.hook).offs) off.toUs = Math.min(off.toUs, fact.begun_us);
  }

  generation({ hook: name, url, secret, begun_us, answered_us }) {
    const hook = this.hook(name);
    if (hook.generations.length > 0) hook.healthy = false;
    hook.generations.push({ url, secret, begunUs: begun_us, answeredUs: answered_us ?? Infinity, echoedUs: Infinity, seenUs: Infinity });
  }

  publish(fact) {
    const request = { status: fact.status, first: fact.first, count: fact.types.length };
    this.requests.push(request);
    for (let n = 0; n < request.count; n++) {
      const [x, deliveries] = fact.events?.[n] ?? [];
      this.published.set(fact.first + n, { type: fact.types[n], digest: fact.digests[n], deliveries, request, accounted: 0 });
      if (fact.status !== 202) continue;
      if (this.tagOf.has(x)) this.violation('id_again', `event ${x}: tags ${this.tagOf.get(x)} and ${fact.first + n}`);
      this.tagOf.set(x, fact.first + n);
    }
    this.counts[fact.status === 202 ? 'acknowledged' : fact.status === 0 ? 'unanswered' : 'refused'] += request.count;
  }

  // ------------------------------------------------------------------ what the daemon says

  daemon(line) {
    if (line.event === 'attempt_started') this.started(line);
    else if (line.event === 'attempt_recorded') this.recorded(line);
    else if (line.event === 'webhook_state') this.hook(shortOf(line.webhook)).state = line.to;
    else if (line.event === 'stopped') this.killed[this.life] = false;
    else if (line.event === 'starting') {
      this.killed[++this.life] = true;
      for (const hook of this.hooks.values()) [hook.state, hook.lastFirst] = [undefined, 0];
    }
  }

  started({ event_id: id, key, n, started_us: startedUs }) {
    const name = wireName(id);
    const hook = this.hookOf(name);
    const delivery = this.delivery(name);
    delivery.key = key;
    delivery.attempts.push({ n, startedUs, life: this.life, outcome: null, post: null });
    this.byKey.set(key, delivery);
    this.counts.attempts++;
    if (hook.state !== undefined && hook.state !== 'active') this.violation('not_active', `${name} attempt ${n} while ${hook.state}`);
    if (n === 1 && key < hook.lastFirst) this.violation('out_of_order', `${name} (${key}) after ${hook.lastFirst}`);
    if (n === 1) hook.lastFirst = Math.max(key, hook.lastFirst);
  }

  recorded({ key, started_us: startedUs, outcome }) {
    const attempt = this.byKey.get(key)?.attempts.find((a) => a.startedUs === startedUs);
    if (!attempt) this.violation('untraced', `delivery ${key}: a record of an attempt that was not started at ${startedUs}`);
    else if (attempt.outcome) this.violation('recorded_twice', `delivery ${key}, started ${startedUs}`);
    else attempt.outcome = outcome;
  }

  // ------------------------------------------------------------------ what the receivers saw

  seen(fact) {
    const hook = this.hook(fact.hook);
    const generation = hook.generation(fact.url, fact.secret);
    if (!generation) this.violation('signature', `${fact.fact} to ${fact.hook}: url ${fact.url}, secret ${fact.secret}, at ${fact.at_us}`);
    else this.current(fact, hook, generation);
    if (fact.fact === 'verify') this.verify(fact, generation);
    else this.post(fact, hook, generation);
  }

  /** A request of a generation: none may start after a newer one was answered, or was seen. */
  current(fact, hook, generation) {
    generation.seenUs = Math.min(generation.seenUs, fact.started_us);
    for (const newer of hook.generations.slice(hook.generations.indexOf(generation) + 1)) {
      const since = Math.min(newer.answeredUs + MS, newer.seenUs);
      if (fact.started_us > since) this.violation('old_generation', `${fact.fact} to ${fact.hook} under url ${fact.url}, secret ${fact.secret}, ${fact.started_us - since} us late`);
    }
  }

  verify(fact, generation) {
    this.counts.verifies++;
    if (this.challenges.has(fact.challenge)) this.violation('challenge_again', `${fact.hook}: ${fact.challenge}`);
    this.challenges.add(fact.challenge);
    if (generation && fact.echoed) generation.echoedUs = Math.min(generation.echoedUs, fact.answered_us);
  }

  post(fact, hook, generation) {
    const name = `${fact.hook}/${fact.event}`;
    const event = this.published.get(fact.tag);
    const delivery = this.delivery(name);
    const attempt = delivery.attempts.find((a) => a.startedUs === fact.started_us);
    this.counts.posts++;
    this.seenTags.add(fact.tag);
    if (!attempt) this.violation('untraced', `a POST of ${name}, started ${fact.started_us}`);
    else if (attempt.post) this.violation('two_posts', `${name}, started ${fact.started_us}`);
    else attempt.post = { status: fact.status, answeredUs: fact.answered_us };
    if (!event || event.type !== fact.type || event.digest !== fact.digest) this.violation('changed_on_the_way', `${name}: tag ${fact.tag}, ${fact.type}, digest ${fact.digest}`);
    const tag = this.tagOf.get(fact.event) ?? fact.tag;
    if (tag !== fact.tag) this.violation('id_again', `event ${fact.event}: tags ${tag} and ${fact.tag}`);
    this.tagOf.set(fact.event, fact.tag);
    if (event && event.request.status !== 202 && event.request.status !== 0) this.violation('refused_exists', `${name}, tag ${fact.tag}, answered ${event.request.status}`);
    if (!hook.types.has(fact.type)) this.violation('not_subscribed', `${name}: ${fact.type}`);
    hook.openMax = Math.max(hook.openMax, fact.open);
    if (fact.cut) hook.cut = true;
    if (generation && !(generation.echoedUs <= fact.started_us)) this.violation('not_echoed', `${name}: url ${fact.url}, secret ${fact.secret}`);
    for (const off of hook.offs)
      if (fact.started_us > off.fromUs + MS && fact.started_us < off.toUs) this.violation(off.kind === 'delete' ? 'after_delete' : 'not_active', `${name}, ${fact.started_us - off.fromUs} us after ${off.kind} had answered`);
  }

  // ------------------------------------------------------------------ what the API accounts for

  account(fact) {
    const name = `${fact.hook}/${fact.event}`;
    const delivery = this.delivery(name);
    if (delivery.account) this.violation('two_ends', name);
    delivery.account = { state: fact.state, reason: fact.reason, attempts: fact.attempts };
    this.counts.deliveries++;
    const event = this.published.get(this.tagOf.get(fact.event));
    if (event) event.accounted++;
    if (fact.state in this.counts) this.counts[fact.state]++;
    else this.violation('not_ended', `${name} is ${fact.state}`);
  }

  // ------------------------------------------------------------------ the end

  finish() {
    const killed = this.killed.filter(Boolean).length;
    if (killed > this.counts.cycles) this.violation('died', `${killed} lives have no end, ${this.counts.cycles} were killed`);
    for (const [name, { attempts }] of this.deliveries)
      if (attempts.some((a) => a.outcome && a.post && !isGood(a.post))) this.hookOf(name).healthy = false;
    for (const [name, { openMax, cut }] of this.hooks)
      if (openMax > this.settings.inFlightMax && !cut) this.violation('in_flight', `${name}: ${openMax} at once`);
    for (const [name, delivery] of this.deliveries) {
      delivery.attempts.sort((a, b) => a.startedUs - b.startedUs);
      this.checkAttempts(name, delivery.attempts);
      this.checkEnd(name, delivery);
    }
    for (const [x, tag] of this.tagOf) {
      const event = this.published.get(tag);
      if (event?.request.status !== 202 || event.accounted === event.deliveries) continue;
      this.counts.lost++;
      this.violation('lost', `event ${x}: ${event.deliveries} deliveries were answered, ${event.accounted} exist`);
    }
    for (const { status, first, count } of this.requests) {
      let there = 0;
      for (let n = 0; n < count; n++) there += this.seenTags.has(first + n);
      if (status === 0 && there > 0 && there < count) this.violation('half_a_batch', `tags ${first} to ${first + count - 1}: ${there} exist`);
    }
    return { counts: this.counts, violations: this.violations, violationCount: this.violationCount };
  }

  checkAttempts(name, attempts) {
    const { retryDelaysMs, attemptTimeoutMs } = this.settings;
    let recorded = 0;
    let cut = 0; // unrecorded in a life that was killed
    let before = null; // the last attempt of a smaller number
    for (const attempt of attempts) {
      const where = `${name} attempt ${attempt.n}, started ${attempt.startedUs}`;
      const again = attempts.find((a) => a.n === attempt.n);
      if (attempt.n - 1 < recorded || attempt.n - 1 > recorded + cut) this.violation('number', `${where}: ${recorded} recorded before, ${cut} cut off`);
      if (again !== attempt) this.checkAgain(where, again, attempt);
      if (before && attempt.n > before.n) {
        this.counts.retries++;
        // The earliest end that it can have had: a receiver may have answered when the time was long over.
        const overUs = before.startedUs + attemptTimeoutMs * MS;
        const ended = before.outcome === 'timeout' ? overUs : Math.min(before.post?.answeredUs || before.startedUs, overUs);
        const due = ended + (retryDelaysMs[before.n - 1] ?? 0) * MS - ROUNDING;
        if (attempt.startedUs < due) this.violation('early', `${where}: ${due - attempt.startedUs} us early`);
      }
      if (attempt.outcome) {
        recorded++;
        this.checkOutcome(where, attempt);
      } else if (this.killed[attempt.life]) {
        cut++;
        this.counts.cut++;
      } else this.violation('never_recorded', where);
      before = attempt;
    }
    if (recorded > 1 + retryDelaysMs.length) this.violation('too_many', `${name}: ${recorded}`);
  }

  /** An attempt that was made before: a crash must have cut off the first. */
  checkAgain(where, first, attempt) {
    const excused = !first.outcome && this.killed[first.life] && attempt.life > first.life;
    if (!excused) this.violation('duplicate', `${where}: first started ${first.startedUs}, ${first.outcome ?? 'not recorded'}, life ${first.life} and ${attempt.life}`);
    if (!first.post || !attempt.post) return;
    this.counts.duplicates++;
    this.counts.duplicatesOfCrashes += excused;
  }

  checkOutcome(where, { outcome, post, startedUs }) {
    const good = post && isGood(post);
    const tookMs = post?.answeredUs ? (post.answeredUs - startedUs) / MS : Infinity;
    const limitMs = this.settings.attemptTimeoutMs;
    if (outcome === 'acknowledged' && !good) this.violation('not_acknowledged', `${where}: the receiver answered ${post ? post.status : 'nothing'}`);
    if (outcome === 'acknowledged' && good && tookMs > 2 * limitMs) this.violation('late_counted', `${where}: after ${tookMs} ms`);
    // A timeout is not judged here: the answer may have been on its way while the machine was busy.
    if (outcome !== 'acknowledged' && outcome !== 'timeout' && good && tookMs < limitMs / 2) this.violation('answer_ignored', `${where}: ${outcome}`);
  }

  checkEnd(name, { account, attempts }) {
    if (!account) {
      // It was never answered and is listed nowhere: only possible if there never was a POST of it.
      if (attempts.length > 0) this.violation('lost', `${name} was sent and is not listed`);
      this.counts.lost += attempts.length > 0;
      return;
    }
    const hook = this.hookOf(name);
    const recorded = attempts.filter((a) => a.outcome).length;
    const all = recorded + attempts.filter((a) => !a.outcome && this.killed[a.life]).length;
    if (account.attempts < recorded || account.attempts > all) this.violation('number', `${name}: ${account.attempts} attempts listed, ${recorded} recorded, ${all} made`);
    if (account.state === 'delivered' && !attempts.some((a) => a.post && isGood(a.post))) {
      this.counts.lost++;
      this.violation('not_acknowledged', `${name} is listed as delivered, and no POST of it was answered 2xx`);
    }
    if (account.state !== 'delivered' && attempts.some((a) => a.outcome === 'acknowledged')) this.violation('wrong_reason', `${name} was acknowledged and is ${account.state}`);
    if (account.reason === 'attempts_exhausted' && account.attempts !== 1 + this.settings.retryDelaysMs.length) this.violation('wrong_reason', `${name}: exhausted after ${account.attempts}`);
    if (account.reason === 'webhook_deleted' && !hook.offs.some((o) => o.kind === 'delete')) this.violation('wrong_reason', `${name}: nobody deleted it`);
    if (account.reason === 'webhook_inactive' && !hook.offs.some((o) => o.kind === 'deactivate')) this.violation('wrong_reason', `${name}: nobody switched it off`);
    if (account.state !== 'delivered' && hook.healthy && hook.offs.length === 0) this.violation('healthy_failed', `${name}: ${account.state}, ${account.reason}`);
  }
}

/** The violations of a report as lines. */
export function* tell({ violations }) {
  for (const [rule, list] of violations) {
    if (list.length === 0) continue;
    yield `${RULES[rule][0]} ${rule}: ${RULES[rule][1]}`;
    for (const text of list) yield `   ${text}`;
    if (list.more) yield `   and ${list.more} more`;
  }
}
