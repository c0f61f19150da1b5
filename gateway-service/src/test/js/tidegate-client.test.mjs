// The page's client module against a scripted connection: `node --test`. ClientModuleTest runs it with the other tests.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const source = readFileSync(new URL('../../main/resources/static/tidegate-client.js', import.meta.url));
// As a data URL it is a module to every Node, whatever its name ends in.
const { TidegateClient, backOff, parseCursor, reconnectsAfter } = await import(
  `data:text/javascript;base64,${source.toString('base64')}`
);

/** Time that passes when the test says so. */
class Clock {
  time = 1_000_000;
  #timers = new Map();
  #next = 1;
  now = () => this.time;
  setTimeout = (f, ms) => {
    this.#timers.set(this.#next, { at: this.time + ms, f });
    return this.#next++;
  };
  clearTimeout = (id) => this.#timers.delete(id);
  get pending() {
    return [...this.#timers.values()].map((t) => t.at - this.time).sort((a, b) => a - b);
  }
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) {
        break;
      }
      this.#timers.delete(due[0]);
      this.time = due[1].at;
      due[1].f();
    }
    this.time = end;
  }
}

class FakeSocket {
  static all = [];
  sent = [];
  closed = false;
  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  says(...frames) {
    frames.forEach((f) => this.onmessage({ data: JSON.stringify(f) }));
  }
  drops(code = 1006, reason = '') {
    this.onclose({ code, reason });
  }
}

class FakeSource {
  static all = [];
  listeners = new Map();
  readyState = 0;
  constructor(url) {
    this.url = new URL(url);
    FakeSource.all.push(this);
  }
  addEventListener(type, f) {
    this.listeners.set(type, f);
  }
  close() {
    this.readyState = 2;
  }
  says(type, frame, lastEventId = '') {
    this.listeners.get(type)({ data: JSON.stringify(frame), lastEventId });
  }
}

const CONNECTED = { op: 'connected', connection: 'c1', heartbeatMs: 25_000, version: '1' };

/** A client on scripted parts, with all it emitted. */
function given(options = {}) {
  FakeSocket.all = [];
  FakeSource.all = [];
  const clock = new Clock();
  const client = new TidegateClient({
    url: 'http://gw.example:8080',
    WebSocket: FakeSocket,
    EventSource: FakeSource,
    random: () => 1,
    now: clock.now,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    ...options,
  });
  const seen = { events: [], duplicates: [], holes: [], gaps: [], errors: [], states: [] };
  client.on('event', (e) => seen.events.push(e.event.id));
  client.on('duplicate', (e) => seen.duplicates.push(e.event.id));
  client.on('hole', (e) => seen.holes.push(e.event.id));
  client.on('gap', (e) => seen.gaps.push(e.gap.reason));
  client.on('error', (e) => seen.errors.push(e.error.code));
  client.on('state', (s) => seen.states.push(s.state));
  return { client, clock, seen, socket: () => FakeSocket.all.at(-1), stream: () => FakeSource.all.at(-1) };
}

/** Subscribed to `news`, live at offset 10. */
function live(options) {
  const t = given(options);
  t.client.subscribe('news');
  t.client.connect();
  t.socket().says(CONNECTED);
  const { id } = t.socket().sent.at(-1);
  t.socket().says({ op: 'subscribed', id, channel: 'news', cursor: 'e.7.10', recovery: 'none' });
  return { ...t, news: t.client.channels[0] };
}

const event = (offset, prev, more = {}) => ({ op: 'event', channel: 'news', cursor: `e.7.${offset}`, prev, id: `i${offset}`, time: 1, data: 1, ...more });

/** The connection drops, the client comes back and asks; returns the new socket and what it asked. */
function returns(t) {
  t.socket().drops();
  t.clock.pass(60_000);
  t.socket().says(CONNECTED);
  return t.socket().sent.at(-1);
}

test('connects with the subprotocol, subscribes once connected, hands events over, and moves its position', () => {
  const t = live();
  assert.equal(t.socket().url, 'ws://gw.example:8080/v1/ws');
  assert.deepEqual(t.socket().protocols, ['tidegate.v1.json']);
  assert.deepEqual(t.socket().sent, [{ op: 'subscribe', id: 1, channel: 'news' }]);
  assert.equal(t.news.state, 'live');
  t.socket().says(event(12, 10), event(15, 12), event(16, 15));
  assert.deepEqual(t.seen.events, ['i12', 'i15', 'i16']);
  assert.equal(t.news.position, 'e.7.16');
  assert.equal(t.news.whole, true);
});

test('a prev below the position is whole too: it names an offset without events after it, not the last event', () => {
  const t = live();
  t.socket().says(event(12, 4));
  assert.deepEqual(t.seen.events, ['i12']);
});

test('comes back after its position and counts what was replayed', () => {
  const t = live();
  t.socket().says(event(12, 10));
  const asked = returns(t);
  assert.deepEqual(asked, { op: 'subscribe', id: 2, channel: 'news', after: 'e.7.12' });
  assert.equal(t.news.state, 'asked');
  t.socket().says({ op: 'subscribed', id: 2, channel: 'news', cursor: 'e.7.20', recovery: 'complete', replayed: 2 });
  assert.equal(t.news.state, 'replaying');
  t.socket().says(event(14, 12, { replay: true }), event(19, 14, { replay: true }));
  assert.equal(t.news.state, 'replaying');
  t.socket().says({ op: 'position', channels: { news: 'e.7.20' } });
  assert.equal(t.news.state, 'live');
  t.socket().says(event(21, 20));
  assert.deepEqual(t.seen.events, ['i12', 'i14', 'i19', 'i21']);
  assert.equal(t.news.counts.replayed, 2);
});

test('a replay of unknown length is over with the event at which it ends', () => {
  const t = live();
  returns(t);
  t.socket().says({ op: 'subscribed', id: 2, channel: 'news', cursor: 'e.7.20', recovery: 'complete' });
  t.socket().says(event(14, 10, { replay: true }));
  assert.equal(t.news.state, 'replaying');
  t.socket().says(event(20, 14, { replay: true }));
  assert.equal(t.news.state, 'live');
});

test('close codes: the range of the number carries the rule', () => {
  const away = [1000, 1009, 4100, 4101, 4102, 4103, 4104, 4199];
  const back = [1001, 1005, 1006, 1011, 1012, 4000, 4001, 4002, 4003, 4099, 4200];
  assert.deepEqual(away.filter(reconnectsAfter), []);
  assert.deepEqual(back.filter((c) => !reconnectsAfter(c)), []);
});

test('stays away when told so, until asked to connect again', () => {
  const t = live();
  t.socket().drops(4103, 'forbidden');
  t.clock.pass(1e9);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(t.client.state, 'stopped');
  t.client.connect();
  assert.equal(FakeSocket.all.length, 2);
});

test('waits longer after each failure, with jitter, bounded, and starts over after a good connection', () => {
  const limits = { minMs: 100, maxMs: 1_000 };
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((n) => backOff(n, limits, () => 1)), [100, 200, 400, 800, 1_000, 1_000]);
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((n) => backOff(n, limits, () => 0)), [50, 100, 200, 400, 500, 500]);
  const t = given({ backOff: limits });
  t.client.connect();
  const waits = [];
  for (let i = 0; i < 5; i++) {
    t.socket().drops();
    waits.push(t.clock.pending[0]);
    t.clock.pass(t.clock.pending[0]);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1_000]);
  t.socket().says(CONNECTED);
  t.clock.pass(6_000);
  t.socket().drops();
  assert.equal(t.clock.pending[0], 100);
});

test('a reconnect frame says when to come back', () => {
  const t = live();
  t.socket().says({ op: 'reconnect', afterMs: 1_234, reason: 'drain' });
  t.socket().drops(4001, 'drain');
  assert.deepEqual(t.clock.pending, [1_234]);
});

test('woken while it waits it tries at once, and only once', () => {
  const t = live();
  t.client.wake();
  assert.equal(FakeSocket.all.length, 1);
  t.socket().drops();
  t.client.wake();
  t.client.wake();
  t.clock.pass(60_000);
  assert.equal(FakeSocket.all.length, 2);
  t.client.unplug();
  t.client.wake();
  assert.equal(FakeSocket.all.length, 2);
});

test('the plug: closes the socket, hears nothing, stays away, keeps its place', () => {
  const t = live();
  const before = t.socket();
  t.client.unplug();
  assert.equal(before.closed, true);
  before.onmessage({ data: JSON.stringify(event(12, 10)) });
  before.onclose({ code: 1006, reason: '' });
  t.clock.pass(1e9);
  assert.deepEqual(t.seen.events, []);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(t.client.state, 'unplugged');
  t.client.connect();
  t.socket().says(CONNECTED);
  assert.equal(t.socket().sent[0].after, 'e.7.10');
});

test('an id seen before is dropped, but its cursor counts: the log caught up with a provisional event', () => {
  const t = live();
  t.socket().says({ op: 'event', channel: 'news', id: 'i12', time: 1, data: 1 });
  assert.equal(t.news.position, 'e.7.10');
  t.socket().says(event(12, 10), event(13, 12));
  assert.deepEqual(t.seen.events, ['i12', 'i13']);
  assert.deepEqual(t.seen.duplicates, ['i12']);
  assert.equal(t.news.position, 'e.7.13');
  t.socket().says(event(12, 10));
  assert.deepEqual(t.seen.duplicates, ['i12', 'i12']);
  assert.deepEqual(t.seen.holes, []);
});

test('what comes over the fallback tier is told apart until the log has caught up', () => {
  const t = live();
  t.socket().says({ op: 'event', channel: 'news', id: 'i12', time: 1, data: 1 });
  assert.equal(t.news.fallback, true);
  t.socket().says({ op: 'position', channels: { news: 'e.7.12' } });
  assert.equal(t.news.fallback, false);
  t.socket().says(event(13, 12));
  assert.deepEqual(t.seen.events, ['i12', 'i13']);
  assert.deepEqual(t.seen.duplicates, []);
  assert.deepEqual(t.seen.holes, []);
});

test('a channel without a past answers none, whatever was asked', () => {
  const t = live();
  t.socket().drops();
  t.clock.pass(60_000);
  t.socket().says(CONNECTED);
  const { id, after } = t.socket().sent.at(-1);
  assert.equal(after, 'e.7.10');
  t.socket().says({ op: 'subscribed', id, channel: 'news', cursor: 'e.7.40', recovery: 'none' });
  assert.equal(t.news.state, 'live');
  assert.equal(t.news.position, 'e.7.40');
});

test('remembers a bounded number of ids', () => {
  const t = live();
  for (let o = 11; o < 5_011; o++) {
    t.socket().says(event(o, o - 1));
  }
  assert.equal(t.news.seen.size, 1_024);
  assert.equal(t.news.counts.events, 5_000);
});

test('a hole is not handed over: asks again after its position, ignores what is late', () => {
  const t = live();
  t.socket().says(event(15, 13));
  assert.deepEqual(t.seen.holes, ['i15']);
  assert.deepEqual(t.seen.events, []);
  assert.deepEqual(t.socket().sent.slice(1), [
    { op: 'unsubscribe', id: 2, channel: 'news' },
    { op: 'subscribe', id: 3, channel: 'news', after: 'e.7.10' },
  ]);
  t.socket().says(event(16, 15), { op: 'unsubscribed', id: 2, channel: 'news' });
  t.socket().says({ op: 'subscribed', id: 3, channel: 'news', cursor: 'e.7.16', recovery: 'complete', replayed: 3 });
  t.socket().says(event(13, 10, { replay: true }), event(15, 13, { replay: true }), event(16, 15, { replay: true }));
  assert.deepEqual(t.seen.events, ['i13', 'i15', 'i16']);
  assert.equal(t.news.whole, false);
});

for (const [what, cursor] of [['partition', 'e.8.11'], ['epoch', 'f.7.11'], ['spelling', 'x']]) {
  test(`an event of another ${what} is a hole`, () => {
    const t = live();
    t.socket().says(event(11, 10, { cursor }));
    assert.deepEqual(t.seen.holes, ['i11']);
  });
}

test('a hole that stays is not asked for at full speed', () => {
  const t = live();
  for (let i = 0; i < 10; i++) {
    t.socket().says(event(15, 13));
    const { id, op } = t.socket().sent.at(-1);
    if (op === 'subscribe') {
      t.socket().says({ op: 'subscribed', id, channel: 'news', cursor: 'e.7.16', recovery: 'none' });
    }
  }
  assert.equal(t.news.state, 'failed');
  assert.equal(t.socket().sent.filter((f) => f.op === 'subscribe').length, 4);
  t.clock.pass(3_000);
  assert.equal(t.socket().sent.filter((f) => f.op === 'subscribe').length, 5);
});

test('a gap is told and moves the position', () => {
  const t = live();
  returns(t);
  t.socket().says({ op: 'subscribed', id: 2, channel: 'news', cursor: 'e.7.90', recovery: 'gap' });
  t.socket().says({ op: 'gap', channel: 'news', after: 'e.7.10', cursor: 'e.7.80', reason: 'expired' }, event(85, 80, { replay: true }));
  assert.deepEqual(t.seen.gaps, ['expired']);
  assert.deepEqual(t.seen.events, ['i85']);
  assert.equal(t.news.whole, false);
  assert.equal(t.news.counts.holes, 0);
});

test('a recreated topic: the gap leads into the new epoch', () => {
  const t = live();
  t.socket().says({ op: 'gap', channel: 'news', after: 'e.7.10', cursor: 'new.7.-1', reason: 'epoch' }, event(0, -1, { cursor: 'new.7.0' }));
  assert.deepEqual(t.seen.events, ['i0']);
  assert.equal(t.news.position, 'new.7.0');
});

test('pending: replay is unavailable, live is held; then caught up', () => {
  const t = live();
  returns(t);
  t.socket().says({ op: 'subscribed', id: 2, channel: 'news', cursor: 'e.7.20', recovery: 'pending' });
  assert.equal(t.news.state, 'pending');
  t.socket().says(event(14, 10, { replay: true }));
  assert.equal(t.news.state, 'replaying');
  t.socket().says({ op: 'position', channels: { news: 'e.7.20', other: 'e.7.1' } });
  assert.equal(t.news.state, 'live');
  assert.equal(t.news.position, 'e.7.20');
});

test('begins with the newest n once, and knows its place even when there are none', () => {
  const t = given();
  t.client.subscribe('news', { last: 5 });
  t.client.connect();
  t.socket().says(CONNECTED);
  assert.deepEqual(t.socket().sent, [{ op: 'subscribe', id: 1, channel: 'news', last: 5 }]);
  t.socket().says({ op: 'subscribed', id: 1, channel: 'news', cursor: 'e.7.20', recovery: 'complete', replayed: 0 });
  assert.equal(t.client.channels[0].position, 'e.7.20');
  assert.equal(returns(t).after, 'e.7.20');
});

test('the first of the newest n may follow anything', () => {
  const t = given();
  t.client.subscribe('news', { last: 2 });
  t.client.connect();
  t.socket().says(CONNECTED);
  t.socket().says({ op: 'subscribed', id: 1, channel: 'news', cursor: 'e.7.20', recovery: 'complete', replayed: 2 });
  t.socket().says(event(14, 11, { replay: true }), event(19, 14, { replay: true }));
  assert.deepEqual(t.seen.events, ['i14', 'i19']);
});

test('a refused channel fails alone, with the code; what may work later is asked later', () => {
  const t = given();
  t.client.subscribe('weather:hull');
  t.client.subscribe('news');
  t.client.connect();
  t.socket().says(CONNECTED);
  t.socket().says({ op: 'error', id: 1, code: 'unknown_namespace', message: 'no', channel: 'weather:hull' });
  t.socket().says({ op: 'error', id: 2, code: 'unavailable', message: 'later', channel: 'news' });
  assert.deepEqual(t.client.channels.map((c) => [c.state, c.failure.code]), [['failed', 'unknown_namespace'], ['failed', 'unavailable']]);
  t.clock.pass(5_000);
  assert.deepEqual(t.socket().sent.slice(2), [{ op: 'subscribe', id: 3, channel: 'news' }]);
});

test('identifies itself first where it has a token, and keeps it out of what it shows', () => {
  const t = given({ token: 'secret' });
  const shown = [];
  t.client.on('wire', (w) => shown.push(JSON.stringify(w.frame)));
  t.client.subscribe('news');
  t.client.connect();
  t.socket().says(CONNECTED);
  assert.deepEqual(t.socket().sent, [{ op: 'connect', id: 1, token: 'secret' }]);
  t.socket().says({ ...CONNECTED, id: 1, subject: 'ada' });
  assert.equal(t.socket().sent[1].op, 'subscribe');
  assert.equal(shown.join().includes('secret'), false);
});

test('where a token is needed and none given, the channel says so', () => {
  const t = given();
  t.client.subscribe('news');
  t.client.connect();
  t.socket().says(CONNECTED, { op: 'error', id: 1, code: 'unauthenticated', message: 'a connect frame is expected first' });
  assert.equal(t.client.channels[0].failure.code, 'unauthenticated');
  t.socket().drops(4101, 'no connect frame in time');
  assert.equal(t.client.state, 'stopped');
});

test('a personal channel that the gateway joins by itself is there, and resumed like any other', () => {
  const t = given();
  const joined = { op: 'subscribed', channel: 'user:ada', cursor: 'e.7.10', recovery: 'none' };
  t.client.connect();
  t.socket().says(CONNECTED, joined, event(12, 10, { channel: 'user:ada' }));
  assert.deepEqual(t.seen.events, ['i12']);
  assert.deepEqual(returns(t), { op: 'subscribe', id: 1, channel: 'user:ada', after: 'e.7.12' });
  t.socket().says({ ...joined, cursor: 'e.7.20' }, event(21, 20, { channel: 'user:ada' }));
  t.socket().says({ op: 'subscribed', id: 1, channel: 'user:ada', cursor: 'e.7.21', recovery: 'complete', replayed: 2 });
  t.socket().says(event(15, 12, { channel: 'user:ada', replay: true }), event(21, 15, { channel: 'user:ada', replay: true }));
  assert.deepEqual(t.seen.events, ['i12', 'i15', 'i21']);
  assert.deepEqual(t.seen.holes, []);
});

test('a silent connection is asked once, then given up', () => {
  const t = live();
  t.clock.pass(25_000);
  assert.deepEqual(t.socket().sent.at(-1), { op: 'ping' });
  t.socket().says({ op: 'pong' });
  t.clock.pass(25_000);
  assert.equal(t.socket().sent.filter((f) => f.op === 'ping').length, 2);
  t.clock.pass(12_500);
  assert.equal(t.client.state, 'waiting');
  t.clock.pass(1_000);
  assert.equal(FakeSocket.all.length, 2);
});

test('publishes: stored, refused, without an answer, cut off', async () => {
  const t = live();
  const stored = t.client.publish('news', { a: 1 }, { type: 'note', event: 'x' });
  assert.deepEqual(t.socket().sent.at(-1), { op: 'publish', id: 2, channel: 'news', event: 'x', type: 'note', data: { a: 1 } });
  t.socket().says({ op: 'published', id: 2, event: 'x', status: 'stored', cursor: 'e.7.11' });
  assert.equal((await stored).cursor, 'e.7.11');
  const refused = t.client.publish('news', 1);
  t.socket().says({ op: 'error', id: 3, code: 'forbidden', message: 'no', channel: 'news' });
  await assert.rejects(refused, { code: 'forbidden' });
  assert.equal(t.news.state, 'live');
  const silent = t.client.publish('news', 1);
  t.clock.pass(15_000);
  await assert.rejects(silent, { code: 'unavailable' });
  const cut = t.client.publish('news', 1);
  t.socket().drops();
  await assert.rejects(cut, { code: 'unavailable' });
  await assert.rejects(t.client.publish('news', 1), { code: 'unavailable' });
});

test('leaving a channel: its late events are not handed over', () => {
  const t = live();
  t.client.unsubscribe('news');
  assert.deepEqual(t.socket().sent.at(-1), { op: 'unsubscribe', id: 2, channel: 'news' });
  t.socket().says(event(12, 10));
  assert.deepEqual(t.seen.events, []);
});

test('nonsense from the other side is told and does no harm', () => {
  const t = live();
  t.socket().onmessage({ data: 'hello' });
  t.socket().says({ op: 'later', x: 1 }, event(12, 10));
  assert.deepEqual(t.seen.errors, ['internal']);
  assert.deepEqual(t.seen.events, ['i12']);
});

test('EventSource: channels and positions stand in the URL, what was missed is asked for there', () => {
  const t = given({ transport: 'eventsource', types: ['note'] });
  t.client.connect();
  assert.equal(FakeSource.all.length, 0);
  t.client.subscribe('news');
  t.client.subscribe('chat:a+b', { last: 3 });
  assert.equal(t.stream().url.search, '?channel=news&channel=chat%3Aa%2Bb&last=3');
  t.stream().onopen();
  assert.equal(t.client.state, 'open');
  t.stream().says('note', event(12, 10));
  t.stream().says('gap', { op: 'gap', channel: 'news', after: 'e.7.12', cursor: 'e.7.20', reason: 'expired' });
  t.stream().says('tidegate-error', { op: 'error', code: 'unavailable', message: 'later', channel: 'chat:a+b' });
  t.stream().onerror({ data: '"an event named error"' });
  assert.equal(t.client.state, 'open');
  t.client.unplug();
  t.client.connect();
  assert.equal(t.stream().url.search, '?channel=news&after=e.7.20&channel=chat%3Aa%2Bb&last=3');
  assert.deepEqual(t.seen.events, ['i12']);
  assert.deepEqual(t.seen.gaps, ['expired']);
});

test('EventSource: left to the browser while it reconnects, opened again where it gives up', () => {
  const t = given({ transport: 'eventsource' });
  t.client.subscribe('news');
  t.client.connect();
  t.stream().onopen();
  t.stream().onerror({});
  assert.equal(t.client.state, 'waiting');
  t.clock.pass(1e6);
  assert.equal(FakeSource.all.length, 1);
  t.stream().onopen();
  assert.equal(t.client.state, 'open');
  t.stream().readyState = 2;
  t.stream().onerror({});
  t.clock.pass(1e6);
  assert.equal(FakeSource.all.length, 2);
});

test('EventSource: the token resumes quiet channels too, for as long as the channels are the same', () => {
  const t = given({ transport: 'eventsource' });
  t.client.subscribe('news');
  t.client.subscribe('quiet');
  t.client.connect();
  t.stream().onopen();
  t.stream().says('message', event(12, 10), 'e.2.9_7.12');
  t.client.unplug();
  t.client.connect();
  assert.equal(t.stream().url.searchParams.get('lastEventId'), 'e.2.9_7.12');
  assert.equal(t.stream().url.searchParams.get('after'), 'e.7.12');
  t.client.subscribe('another');
  assert.equal(t.stream().url.searchParams.get('lastEventId'), null);
});

test('EventSource: a resumed stream tells where it begins, which its token may have reached without a word', () => {
  const t = given({ transport: 'eventsource' });
  t.client.subscribe('news');
  t.client.connect();
  t.stream().onopen();
  t.stream().says('message', event(12, 10), 'e.7.12');
  t.stream().says('position', { op: 'position', channels: { news: 'e.7.15' } });
  t.stream().says('message', event(16, 15, { replay: true }), 'e.7.16');
  assert.equal(t.client.channels[0].position, 'e.7.16');
  t.stream().says('position', { op: 'position', channels: { news: 'e.7.14' } });
  t.stream().says('message', event(16, 14, { replay: true }), 'e.7.16');
  t.stream().says('message', event(17, 16), 'e.7.17');
  assert.deepEqual(t.seen.holes, []);
  assert.deepEqual(t.seen.events, ['i12', 'i16', 'i17']);
});

test('EventSource: what a token repeats is dropped, even when its id is long forgotten', () => {
  const t = given({ transport: 'eventsource' });
  t.client.subscribe('news');
  t.client.connect();
  t.stream().onopen();
  for (let o = 11; o < 3_011; o++) {
    t.stream().says('message', event(o, o - 1), 'e.7.10');
  }
  t.stream().says('message', event(11, 10, { replay: true }), 'e.7.10');
  t.stream().says('message', event(3_011, 3_010), 'e.7.10');
  assert.deepEqual(t.seen.holes, []);
  assert.deepEqual(t.seen.duplicates, ['i11']);
  assert.equal(t.client.channels[0].counts.events, 3_001);
});

test('the transport can be changed: positions stay', () => {
  const t = live();
  const socket = t.socket();
  t.client.configure({ transport: 'eventsource' });
  assert.equal(socket.closed, true);
  assert.equal(t.stream().url.search, '?channel=news&after=e.7.10');
});

test('cursors', () => {
  assert.deepEqual(parseCursor('k3ZqW1xA.7.184467'), { epoch: 'k3ZqW1xA', partition: 7, offset: 184467 });
  assert.deepEqual(parseCursor('a.0.-1'), { epoch: 'a', partition: 0, offset: -1 });
  for (const bad of ['', 'a', 'a.1', 'a.01.1', 'a.1.01', 'a.1.-2', 'a.1.1 ', undefined, null]) {
    assert.equal(parseCursor(bad), null);
  }
});
