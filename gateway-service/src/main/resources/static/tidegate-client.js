/**
 * A client of Tidegate for browsers: one connection, any number of channels, nothing missed across reconnects.
 *
 * What it does for its user:
 * - reconnects with exponential back-off and jitter, unless the close code's range says not to;
 * - resumes every channel after its position, so that events published meanwhile arrive, marked `replay`;
 * - checks the continuity rule on every event (`prev <= position < offset`) and resubscribes at a hole;
 * - drops events whose id it has seen, so that each is handed over once.
 *
 * No dependency and no build step. What the browser gives (WebSocket, EventSource, clock, timers, chance) can be passed in,
 * so that a test can script it.
 *
 *   const client = new TidegateClient({ url: 'https://gateway.example.org' });
 *   client.on('event', ({ event }) => console.log(event.channel, event.data));
 *   client.subscribe('news');
 *   client.connect();
 */

/** Most event ids remembered per channel: repeats come from a tier that was a little ahead, never from far back. */
const SEEN_PER_CHANNEL = 1024;

/** Most unanswered requests of one connection; the gateway allows 64 unanswered publishes. */
const MAX_REQUESTS = 256;

/** A hole that is still there after so many new subscriptions is not asked for at full speed. */
const MAX_HOLES_IN_A_ROW = 3;

/** How long an answer to a publish may take, milliseconds. */
const ANSWER_TIMEOUT_MS = 15_000;

/** A connection that lasted so long was a good one: the next failure starts with a short wait again. */
const GOOD_CONNECTION_MS = 5_000;

/**
 * Whether to reconnect after this close code: the rule of the protocol is in the number's range. Codes that only the
 * browser makes up (1005, 1006) and those of proxies (1012 to 1014) mean that the way was cut.
 */
export function reconnectsAfter(code) {
  if (code === 1000 || code === 1009) {
    return false;
  }
  return code < 4100 || code > 4199;
}

/** A cursor's parts, or null. Clients compare offsets of one epoch and partition only, and keep the text as it is. */
export function parseCursor(text) {
  const m = /^([A-Za-z0-9_-]{1,16})\.(0|[1-9][0-9]*)\.(-1|0|[1-9][0-9]*)$/.exec(text ?? '');
  return m ? { epoch: m[1], partition: Number(m[2]), offset: Number(m[3]) } : null;
}

/** Milliseconds to wait before attempt `n` (0 is the first): doubled each time, with jitter of a half. */
export function backOff(n, { minMs, maxMs }, random) {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(n, 20));
  return Math.round(full / 2 + (random() * full) / 2);
}

/** A failure that the gateway told, with its code of the protocol. */
export class TidegateError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'TidegateError';
    this.code = code;
  }
}

/** One wanted channel: where the client is, and what has been seen. Lives across connections. */
class Channel {
  constructor(name, { after = null, last = null } = {}) {
    this.name = name;
    /** The cursor up to which this client has everything; null while not known. */
    this.position = after;
    /** How many newest events to begin with; used once, while there is no position. */
    this.last = last;
    /** off, asked, pending (replay is unavailable, live is held), replaying, live, failed */
    this.state = 'off';
    this.failure = null;
    this.requestId = null;
    /** Where the replay under way ends: the `cursor` of `subscribed`. */
    this.target = null;
    this.seen = new Set();
    this.holesInARow = 0;
    /** The newest event came over the fallback tier: it has no place in the log yet, and is confirmed or repeated later. */
    this.fallback = false;
    this.counts = { events: 0, replayed: 0, duplicates: 0, holes: 0, gaps: 0 };
  }

  /** Nothing is missing, as far as can be checked. */
  get whole() {
    return this.counts.holes === 0 && this.counts.gaps === 0;
  }

  /** Remembers an id; false if it was known. */
  firstTime(id) {
    if (this.seen.has(id)) {
      return false;
    }
    this.seen.add(id);
    if (this.seen.size > SEEN_PER_CHANNEL) {
      this.seen.delete(this.seen.values().next().value); // a Set keeps its order: this is the oldest
    }
    return true;
  }

  /** Whether the position lies at or behind this cursor. */
  covers(cursor) {
    const at = parseCursor(this.position);
    const c = parseCursor(cursor);
    return at !== null && c !== null && at.epoch === c.epoch && at.partition === c.partition && c.offset <= at.offset;
  }

  /** Whether an event with this cursor and prev continues from the position; sets the position if so. */
  continues(cursor, prev) {
    const at = parseCursor(this.position);
    const next = parseCursor(cursor);
    const whole =
      next !== null &&
      (at === null ||
        (at.epoch === next.epoch && at.partition === next.partition && prev <= at.offset && at.offset < next.offset));
    if (whole) {
      this.position = cursor;
    }
    return whole;
  }
}

export class TidegateClient {
  #options;
  #listeners = new Map();
  #channels = new Map();
  #requests = new Map();
  #transport = null;
  #timer = null;
  #attempt = 0;
  #hint = null;
  #openedAt = 0;
  #nextId = 1;
  #heartbeatMs = null;
  #watch = null;
  #lastHeard = 0;
  #asked = false;
  #wanted = false;
  #ready = false;
  /** What resumes every channel of an event stream, quiet ones too; good for the channels it was given for. */
  #token = null;

  /** idle, connecting, open, waiting, unplugged, stopped */
  state = 'idle';

  /**
   * @param options.url base URL of the gateway (http or https)
   * @param options.transport 'websocket' or 'eventsource'
   * @param options.token bearer token, or null
   * @param options.types event types to hear over an EventSource, which hands over only those it was asked for
   * @param options.backOff `{ minMs, maxMs }` of the wait before a reconnect
   */
  constructor(options) {
    this.#options = {
      transport: 'websocket',
      token: null,
      types: [],
      backOff: { minMs: 250, maxMs: 15_000 },
      WebSocket: globalThis.WebSocket,
      EventSource: globalThis.EventSource,
      random: Math.random,
      now: () => Date.now(),
      setTimeout: (f, ms) => globalThis.setTimeout(f, ms),
      clearTimeout: (t) => globalThis.clearTimeout(t),
      ...options,
    };
  }

  /**
   * Listens: `state` ({state, reason, retryInMs}), `event` ({event, channel}), `gap` ({gap, channel}), `hole` ({event,
   * channel}), `duplicate` ({event, channel}), `channel` ({channel}), `error` ({error}), `wire` ({direction, frame}).
   * Returns what stops listening.
   */
  on(name, listener) {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all);
    all.add(listener);
    return () => all.delete(listener);
  }

  /** The channels that are wanted, each with `name`, `state`, `position`, `whole`, `counts`. */
  get channels() {
    return [...this.#channels.values()];
  }

  get transport() {
    return this.#options.transport;
  }

  /** Connects, and stays connected until {@link unplug}. */
  connect() {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#attempt = 0;
      this.#hint = null;
      this.#open();
    }
  }

  /** Closes the connection and stays away until {@link connect}; positions are kept. */
  unplug() {
    this.#wanted = false;
    this.#leave();
    this.#become('unplugged');
  }

  /** Tries again at once if it waits to reconnect: when something says that the way is free again. */
  wake() {
    if (this.#timer !== null && this.state === 'waiting') {
      this.#options.clearTimeout(this.#timer);
      this.#timer = null;
      this.#open();
    }
  }

  /** Wants a channel: from its newest `last` events, after a cursor, or from now on. */
  subscribe(name, from = {}) {
    if (this.#channels.has(name)) {
      return this.#channels.get(name);
    }
    const channel = new Channel(name, from);
    this.#channels.set(name, channel);
    this.#emit('channel', { channel });
    if (this.#options.transport === 'eventsource') {
      this.#token = null;
      this.#reopen(); // the channels of an event stream stand in its URL
    } else if (this.#ready) {
      this.#ask(channel);
    }
    return channel;
  }

  unsubscribe(name) {
    const channel = this.#channels.get(name);
    if (!channel) {
      return;
    }
    this.#channels.delete(name);
    if (this.#options.transport === 'eventsource') {
      this.#token = null;
      this.#reopen();
    } else if (this.#ready && channel.state !== 'off' && channel.state !== 'failed') {
      this.#send({ op: 'unsubscribe', id: this.#id(), channel: name });
    }
    this.#emit('channel', { channel });
  }

  /** Changes how this client is connected; channels and positions stay. */
  configure(options) {
    if (options.transport !== undefined && options.transport !== this.#options.transport) {
      this.#token = null; // the positions have moved on without it
    }
    Object.assign(this.#options, options);
    this.#reopen();
  }

  /**
   * Publishes an event over the WebSocket; resolves with the `published` frame. Publishing again after a failure is safe
   * with the same `event` id: it is stored once.
   */
  publish(channel, data, { event, type } = {}) {
    if (!this.#ready || this.#options.transport !== 'websocket') {
      return Promise.reject(new TidegateError('unavailable', 'not connected over a WebSocket'));
    }
    if (this.#requests.size >= MAX_REQUESTS) {
      return Promise.reject(new TidegateError('rate_limited', `${MAX_REQUESTS} requests are unanswered`));
    }
    const id = this.#id();
    const frame = { op: 'publish', id, channel, ...(event && { event }), ...(type && { type }), data };
    return new Promise((resolve, reject) => {
      const timer = this.#options.setTimeout(() => {
        this.#requests.delete(id);
        reject(new TidegateError('unavailable', 'no answer in time'));
      }, ANSWER_TIMEOUT_MS);
      this.#requests.set(id, { resolve, reject, timer });
      this.#send(frame);
    });
  }

  // ---- connection

  #open() {
    this.#become('connecting');
    this.#ready = false;
    for (const c of this.#channels.values()) {
      this.#stateOf(c, 'off');
    }
    const open = this.#options.transport === 'eventsource' ? this.#openStream : this.#openSocket;
    open.call(this);
  }

  #openSocket() {
    const url = new URL('/v1/ws', this.#options.url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new this.#options.WebSocket(url.href, ['tidegate.v1.json']);
    const mine = (f) => (e) => socket === this.#transport && f(e); // what an earlier socket still says is void
    this.#transport = socket;
    socket.onmessage = mine((e) => this.#heard(e.data));
    socket.onclose = mine((e) => this.#closed(e.code, e.reason));
    socket.onerror = null; // a close follows, and says more
  }

  #openStream() {
    if (this.#channels.size === 0) {
      this.#become('idle', 'no channel');
      return;
    }
    const url = new URL('/v1/sse', this.#options.url);
    for (const c of this.#channels.values()) {
      url.searchParams.append('channel', c.name);
      if (c.position !== null) {
        url.searchParams.append('after', c.position);
      } else if (c.last !== null) {
        url.searchParams.append('last', String(c.last));
      }
    }
    if (this.#options.token) {
      url.searchParams.set('token', this.#options.token);
    }
    // A '+' is a plus to the gateway, since channel names may hold one; URLSearchParams writes %2B for it, and no blanks occur.
    if (this.#token !== null) {
      url.searchParams.set('lastEventId', this.#token);
    }
    const source = new this.#options.EventSource(url.href);
    const mine = (f) => (e) => source === this.#transport && f(e);
    this.#transport = source;
    source.onopen = mine(() => this.#opened());
    source.onerror = mine((e) => {
      if (e.data !== undefined) {
        return; // an event whose type happens to be "error"
      }
      if (source.readyState === 2) {
        this.#closed(1006, 'the event stream was refused'); // the browser gives up on an HTTP error; we do not
      } else {
        this.#become('waiting', 'the event stream was cut; the browser reconnects by itself');
      }
    });
    const frame = mine((e) => {
      this.#token = e.lastEventId || this.#token;
      this.#heard(e.data);
    });
    for (const type of new Set(['message', 'gap', 'position', 'tidegate-error', ...this.#options.types])) {
      source.addEventListener(type, frame);
    }
  }

  #opened() {
    this.#openedAt = this.#options.now();
    this.#ready = true;
    this.#become('open');
    for (const c of this.#channels.values()) {
      if (this.#options.transport === 'eventsource') {
        this.#stateOf(c, 'live'); // an event stream has nobody to answer; events and gaps tell
      } else {
        this.#ask(c);
      }
    }
  }

  #closed(code, reason) {
    const lasted = this.#ready ? this.#options.now() - this.#openedAt : 0;
    this.#leave();
    if (!reconnectsAfter(code)) {
      this.#wanted = false;
      this.#become('stopped', `${code} ${reason}`);
      return;
    }
    if (lasted >= GOOD_CONNECTION_MS) {
      this.#attempt = 0;
    }
    const wait = this.#hint ?? backOff(this.#attempt, this.#options.backOff, this.#options.random);
    this.#hint = null;
    this.#attempt++;
    this.#become('waiting', reason ? `${code} ${reason}` : `${code}`, wait);
    this.#timer = this.#options.setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, wait);
  }

  /** Lets go of the connection and of all that waits for it. */
  #leave() {
    const transport = this.#transport;
    this.#transport = null;
    this.#ready = false;
    this.#options.clearTimeout(this.#timer);
    this.#options.clearTimeout(this.#watch);
    this.#timer = null;
    this.#watch = null;
    transport?.close();
    for (const { reject, timer } of this.#requests.values()) {
      this.#options.clearTimeout(timer);
      reject(new TidegateError('unavailable', 'the connection was lost before the answer'));
    }
    this.#requests.clear();
    for (const c of this.#channels.values()) {
      this.#stateOf(c, 'off');
    }
  }

  #reopen() {
    if (this.#wanted) {
      this.#leave();
      this.#open();
    }
  }

  /**
   * A connection over which nothing came for a heartbeat is asked; one that does not answer is dead. (The server's own
   * pings are answered by the browser and never seen here. An EventSource is watched by the browser alone.)
   */
  #watchOver() {
    const silent = this.#options.now() - this.#lastHeard;
    let wait = this.#heartbeatMs - silent;
    if (wait > 0) {
      this.#asked = false;
    } else if (this.#asked) {
      this.#closed(1006, 'no answer to a ping');
      return;
    } else {
      this.#asked = true;
      wait = this.#heartbeatMs / 2;
      this.#send({ op: 'ping' });
    }
    this.#watch = this.#options.setTimeout(() => this.#watchOver(), wait);
  }

  // ---- frames

  #ask(channel) {
    const id = this.#id();
    channel.requestId = id;
    channel.target = null;
    this.#stateOf(channel, 'asked');
    const from = channel.position !== null ? { after: channel.position } : channel.last !== null ? { last: channel.last } : {};
    this.#send({ op: 'subscribe', id, channel: channel.name, ...from });
  }

  #heard(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#emit('error', { error: new TidegateError('internal', 'a frame that is not JSON') });
      return;
    }
    this.#lastHeard = this.#options.now();
    this.#emit('wire', { direction: 'in', frame });
    switch (frame.op) {
      case 'connected':
        this.#connected(frame);
        break;
      case 'subscribed':
        this.#subscribed(frame);
        break;
      case 'event':
        this.#event(frame);
        break;
      case 'position':
        this.#positions(frame.channels);
        break;
      case 'gap':
        this.#gap(frame);
        break;
      case 'published':
        this.#answer(frame.id, (r) => r.resolve(frame));
        break;
      case 'unsubscribed':
        this.#unsubscribed(frame);
        break;
      case 'reconnect':
        this.#hint = Math.max(0, frame.afterMs);
        break;
      case 'error':
        this.#error(frame);
        break;
      default: // pong, presence and whatever a newer gateway says
    }
  }

  #connected(frame) {
    this.#heartbeatMs = frame.heartbeatMs;
    this.#options.clearTimeout(this.#watch);
    this.#asked = false;
    this.#watchOver();
    if (this.#options.token && frame.id === undefined) {
      this.#send({ op: 'connect', id: this.#id(), token: this.#options.token });
    } else if (!this.#ready) {
      this.#opened();
    }
  }

  #subscribed(frame) {
    const c = this.#channels.get(frame.channel) ?? (frame.id === undefined ? this.#joined(frame.channel) : undefined);
    if (!c || (frame.id ?? null) !== c.requestId) {
      return; // of a subscription that is over
    }
    c.requestId = null;
    c.failure = null;
    const asked = c.position !== null || c.last !== null;
    if (!asked || (c.position === null && frame.replayed === 0)) {
      c.position = frame.cursor;
    }
    c.target = frame.cursor;
    if (frame.recovery === 'none') {
      c.position = frame.cursor; // an ephemeral channel has no past, whatever was asked
    }
    const nothingFollows = frame.recovery === 'complete' && frame.replayed === 0;
    this.#stateOf(c, frame.recovery === 'pending' ? 'pending' : nothingFollows ? 'live' : 'replaying');
    this.#arrived(c);
  }

  /** A personal channel, which the gateway joins by itself. */
  #joined(name) {
    const channel = new Channel(name);
    this.#channels.set(name, channel);
    return channel;
  }

  #event(event) {
    const stream = this.#options.transport === 'eventsource';
    const c = this.#channels.get(event.channel) ?? (stream ? this.#joined(event.channel) : undefined);
    if (!c || c.requestId !== null || c.state === 'failed') {
      return; // late news of a subscription that is over
    }
    if (event.cursor !== undefined && !c.continues(event.cursor, event.prev)) {
      // A stream's token covers a partition by its smallest position, so resuming from it repeats events of other channels.
      const repeated = stream && c.covers(event.cursor);
      if (repeated || c.seen.has(event.id)) {
        this.#duplicate(c, event);
      } else {
        this.#hole(c, event);
      }
      return;
    }
    c.fallback = event.cursor === undefined;
    this.#replayed(c, event);
    if (!c.firstTime(event.id)) {
      this.#duplicate(c, event); // the position has moved on all the same
      return;
    }
    c.holesInARow = 0;
    c.counts.events++;
    this.#emit('event', { event, channel: c });
    this.#emit('channel', { channel: c });
  }

  #replayed(c, event) {
    if (event.replay) {
      c.counts.replayed++;
      if (c.state === 'pending') {
        this.#stateOf(c, 'replaying');
      }
      this.#arrived(c);
    } else if (event.cursor !== undefined) {
      this.#stateOf(c, 'live');
    }
  }

  /** Live again, if the position has reached the point where the replay ends. */
  #arrived(c) {
    if (c.target !== null && c.covers(c.target)) {
      this.#stateOf(c, 'live');
    }
  }

  #duplicate(c, event) {
    c.counts.duplicates++;
    this.#emit('duplicate', { event, channel: c });
    this.#emit('channel', { channel: c });
  }

  /** Something is missing before this event: it is not handed over, but asked for again together with what is missing. */
  #hole(c, event) {
    c.counts.holes++;
    this.#emit('hole', { event, channel: c });
    if (++c.holesInARow > MAX_HOLES_IN_A_ROW) {
      this.#send({ op: 'unsubscribe', id: this.#id(), channel: c.name });
      this.#failed(c, new TidegateError('internal', 'the channel has a hole that asking again does not fill'));
    } else if (this.#options.transport === 'eventsource') {
      this.#reopen();
    } else {
      this.#send({ op: 'unsubscribe', id: this.#id(), channel: c.name });
      this.#ask(c);
    }
  }

  #positions(channels) {
    for (const [name, cursor] of Object.entries(channels)) {
      const c = this.#channels.get(name);
      if (c && c.requestId === null && parseCursor(cursor)) {
        if (!c.covers(cursor)) {
          c.position = cursor; // a stream that resumes by its token may begin further back than this channel is
        }
        c.fallback = false;
        this.#arrived(c);
        this.#emit('channel', { channel: c });
      }
    }
  }

  #gap(gap) {
    const c = this.#channels.get(gap.channel);
    if (c) {
      c.counts.gaps++;
      c.position = gap.cursor;
      this.#arrived(c);
      this.#emit('gap', { gap, channel: c });
      this.#emit('channel', { channel: c });
    }
  }

  #unsubscribed(frame) {
    const c = this.#channels.get(frame.channel);
    if (c && frame.reason !== undefined) {
      this.#failed(c, new TidegateError('forbidden', frame.reason));
    }
  }

  #error({ id, code, message, channel }) {
    const error = new TidegateError(code, message);
    if (this.#answer(id, (r) => r.reject(error))) {
      return;
    }
    const asked = this.channels.find((x) => x.requestId !== null && x.requestId === id);
    const c = asked ?? this.#channels.get(channel);
    if (asked || (c && id === undefined)) {
      this.#failed(c, error);
    }
    this.#emit('error', { error, channel: c ?? null });
  }

  /** A subscription has ended. What may work later is tried later; the rest waits for its user. */
  #failed(c, error) {
    c.requestId = null;
    c.failure = error;
    this.#stateOf(c, 'failed');
    if (error.code === 'unavailable' || error.code === 'internal') {
      const wait = backOff(3, this.#options.backOff, this.#options.random);
      const connection = this.#transport;
      this.#options.setTimeout(() => {
        const still = this.#transport === connection && this.#ready && this.#channels.get(c.name) === c;
        if (still && c.state === 'failed') {
          this.#options.transport === 'eventsource' ? this.#reopen() : this.#ask(c);
        }
      }, wait);
    }
  }

  #answer(id, settle) {
    const request = this.#requests.get(id);
    if (!request) {
      return false;
    }
    this.#requests.delete(id);
    this.#options.clearTimeout(request.timer);
    settle(request);
    return true;
  }

  // ---- small things

  #id() {
    return this.#nextId++;
  }

  #send(frame) {
    this.#emit('wire', { direction: 'out', frame: frame.token ? { ...frame, token: '…' } : frame });
    this.#transport?.send?.(JSON.stringify(frame));
  }

  #stateOf(channel, state) {
    if (channel.state !== state) {
      channel.state = state;
      this.#emit('channel', { channel });
    }
  }

  #become(state, reason = '', retryInMs = null) {
    this.state = state;
    this.#emit('state', { state, reason, retryInMs });
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) {
      listener(detail);
    }
  }
}
