/** The page at a gateway's root: shows what the client module does. Every list is bounded. */
import { TidegateClient } from './tidegate-client.js';

const MAX_EVENTS = 300;
const MAX_WIRE = 150;
const MAX_DATA_CHARS = 2_000;
const FIRST_CHANNELS = ['demo', 'chat:lobby'];
const INGEST_PORT = 8081;

const $ = (id) => document.getElementById(id);
const gateway = location.origin;
const ingest = new URLSearchParams(location.search).get('ingest') ?? `${location.protocol}//${location.hostname}:${INGEST_PORT}`;

const client = new TidegateClient({ url: gateway, types: ['note'] });
/** Publishes as somebody else would: the plug that the button pulls is the reader's. */
const publisher = new TidegateClient({ url: gateway });

// ---- small tools

/** An element with a class and text; nothing on this page is ever made from HTML in a string. */
function element(tag, className = '', text = '') {
  const e = document.createElement(tag);
  if (className) {
    e.className = className;
  }
  e.textContent = text;
  return e;
}

function clock(millis = Date.now()) {
  const d = new Date(millis);
  return `${d.toTimeString().slice(0, 8)}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

function span(millis) {
  if (millis < 1_000) {
    return `${Math.round(millis)} ms`;
  }
  if (millis < 10_000) {
    return `${(millis / 1000).toFixed(1)} s`;
  }
  return millis < 120_000 ? `${Math.round(millis / 1000)} s` : `${Math.round(millis / 60_000)} min`;
}

function plural(n, word) {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

/** Puts rows on top of a list once per frame, however many came, and keeps at most `max` of them. */
function boundedList(list, max) {
  let waiting = [];
  let scheduled = false;
  const show = () => {
    scheduled = false;
    const rows = waiting.reverse();
    waiting = [];
    list.prepend(...rows);
    while (list.childElementCount > max) {
      list.lastElementChild.remove();
    }
  };
  return (row) => {
    waiting.push(row);
    if (waiting.length > max) {
      waiting.shift();
    }
    if (!scheduled) {
      scheduled = true;
      // Hidden pages get no animation frames; a timer keeps the list going there.
      document.hidden ? setTimeout(show, 200) : requestAnimationFrame(show);
    }
  };
}

const addRow = boundedList($('events'), MAX_EVENTS);
const addWire = boundedList($('wire'), MAX_WIRE);

function say(text) {
  $('news').textContent = text;
}

// ---- state of the connection

let unpluggedAt = null;
let wasOpen = false;
let gone = null; // { since, before }: when the connection ended, and how many events had been replayed by then
let cameBack = null; // { away, before }: until what a return brought has been summed up

const STATES = {
  idle: () => 'not connected',
  connecting: () => 'connecting …',
  open: () => {
    const how = client.transport === 'websocket' ? 'connected over WebSocket' : 'connected over EventSource';
    return onFallback() ? `${how}, live over the fallback tier` : how;
  },
  waiting: (s) => (s.retryInMs === null ? 'cut: reconnecting …' : `cut (${s.reason}): trying again in ${span(s.retryInMs)}`),
  unplugged: () => 'unplugged',
  stopped: (s) => `closed for good: ${s.reason}`,
};

client.on('state', (s) => {
  document.body.dataset.state = s.state;
  $('state').textContent = STATES[s.state](s);
  if (s.state === 'open') {
    publisher.wake(); // where we got through, it will
    if (gone !== null) {
      cameBack = { away: Date.now() - gone.since, before: gone.before };
      gone = null;
    }
  } else if (wasOpen) {
    gone = { since: Date.now(), before: replayed() };
    cameBack = null;
    if (s.state === 'waiting') {
      mark(`cut: ${s.reason}`);
    }
  }
  wasOpen = s.state === 'open';
  const out = s.state === 'unplugged' || s.state === 'stopped';
  $('plug').setAttribute('aria-pressed', String(out));
  $('plug').textContent = out ? 'Put the plug back' : 'Pull the plug';
  if (s.state === 'stopped') {
    mark(`closed for good: ${s.reason}`, 'bad');
  }
});

/** Whether events come over Redis while Kafka stands still: they have no cursor until it goes on. */
function onFallback() {
  return client.channels.some((c) => c.fallback);
}

function tellFallback() {
  if (client.state === 'open' && $('state').textContent !== STATES.open()) {
    $('state').textContent = STATES.open();
  }
}

function replayed() {
  return client.channels.reduce((n, c) => n + c.counts.replayed, 0);
}

$('plug').addEventListener('click', () => {
  if (client.state === 'unplugged' || client.state === 'stopped') {
    mark(unpluggedAt === null ? 'plug back in' : `plug back in after ${span(Date.now() - unpluggedAt)}`);
    unpluggedAt = null;
    client.connect();
  } else {
    unpluggedAt = Date.now();
    client.unplug();
    mark('plug pulled: this page hears nothing now');
  }
  tellPlug();
});

function tellPlug() {
  $('plug-text').textContent =
    unpluggedAt === null
      ? 'Really closes the connection, and stays away until you put the plug back.'
      : `Away for ${span(Date.now() - unpluggedAt)}. Publish something now: the log keeps it, and your positions are kept here.`;
}
setInterval(tellPlug, 1_000);

/** After a return: once every channel is live again, what was missed in one sentence. */
function summariseReturn() {
  if (cameBack === null || client.state !== 'open' || client.channels.some((c) => c.state !== 'live')) {
    return;
  }
  const { away, before } = cameBack;
  cameBack = null;
  // An event stream does not tell when its replay is over.
  setTimeout(() => {
    const whole = client.channels.every((c) => c.whole) ? 'nothing missing' : 'see the gaps';
    const text = `back after ${span(away)}: ${plural(replayed() - before, 'missed event')} replayed, ${whole}`;
    mark(text);
    say(text);
  }, client.transport === 'eventsource' ? 1_000 : 0);
}

function mark(text, kind = 'mark') {
  addRow(element('li', kind, `${clock()} — ${text}`));
  $('empty').hidden = true;
}

for (const radio of document.querySelectorAll('input[name=transport]')) {
  radio.addEventListener('change', () => client.configure({ transport: radio.value }));
}
$('token').addEventListener('change', () => {
  const token = $('token').value.trim() || null;
  client.configure({ token });
  publisher.configure({ token });
});

// ---- channels

const CHANNEL_STATES = {
  off: () => 'away',
  asked: () => 'asking',
  pending: () => 'replay unavailable, live is held',
  replaying: () => 'catching up',
  live: (c) => (c.fallback ? 'live over the fallback tier' : 'live'),
  failed: (c) => `${c.failure.code}: ${c.failure.message}`,
};

function describe(c) {
  return CHANNEL_STATES[c.state](c);
}

let drawScheduled = false;
client.on('channel', () => {
  if (!drawScheduled) {
    drawScheduled = true;
    setTimeout(drawChannels, 50);
  }
});

function drawChannels() {
  drawScheduled = false;
  tellFallback();
  drawChips();
  drawLedger();
  drawPublishChannels();
  summariseReturn();
}

function drawChips() {
  // Rebuilt only when the set changes, so that the focus on a button stays.
  const names = client.channels.map((c) => c.name).join('\n');
  const chips = $('chips');
  if (chips.dataset.names !== names) {
    chips.dataset.names = names;
    chips.replaceChildren(...client.channels.map(chip));
  }
  client.channels.forEach((c, i) => {
    chips.children[i].dataset.channelState = c.state;
    chips.children[i].title = describe(c);
  });
}

function chip(c) {
  const li = element('li');
  const remove = element('button', '', '×');
  remove.type = 'button';
  remove.setAttribute('aria-label', `Leave ${c.name}`);
  remove.addEventListener('click', () => {
    client.unsubscribe(c.name);
    $('channel').focus();
  });
  li.append(element('span', 'dot'), element('span', '', c.name), remove);
  return li;
}

function drawLedger() {
  const rows = client.channels.map((c) => {
    const tr = element('tr');
    tr.dataset.channelState = c.state;
    const name = element('th', '', c.name);
    name.scope = 'row';
    const known = c.state !== 'failed' || c.counts.events > 0;
    const whole = !known ? '–' : c.whole ? 'yes' : c.counts.holes > 0 ? 'no: a hole' : 'no: a told gap';
    tr.append(
      name,
      element('td', 'what', describe(c)),
      element('td', !known ? '' : c.whole ? 'whole-yes' : 'whole-no', whole),
      element('td', 'n', c.counts.events),
      element('td', 'n', c.counts.replayed),
      element('td', c.counts.holes > 0 ? 'n bad' : 'n', c.counts.holes),
      element('td', c.counts.gaps > 0 ? 'n bad' : 'n', c.counts.gaps),
      element('td', 'n', c.counts.duplicates),
      element('td', 'mono', c.position ?? 'not known yet'),
    );
    return tr;
  });
  document.querySelector('#ledger tbody').replaceChildren(...rows);
}

$('add').addEventListener('submit', (e) => {
  e.preventDefault();
  const name = $('channel').value.trim();
  const last = $('from').value;
  const bad = name === '' || /[^A-Za-z0-9_\-.:/@#=~+,]/.test(name);
  $('channel-error').textContent = bad ? 'A channel is 1 to 255 of A-Z a-z 0-9 _ - . : / @ # = ~ + ,' : '';
  if (!bad) {
    client.subscribe(name, last === '' ? {} : { last: Number(last) });
    $('channel').value = '';
  }
});

// ---- events

client.on('event', ({ event, channel }) => {
  const kind = event.cursor === undefined ? 'provisional' : event.replay ? 'replay' : 'live';
  const li = element('li', `${kind} fresh`);
  const age = Date.now() - event.time;
  const badge = element('span', `badge ${kind}`, kind === 'replay' ? 'replayed' : kind);
  const latency = element('span', 'latency', event.replay ? `${span(age)} old` : span(age));
  latency.title = `published ${clock(event.time)}`;
  const text = event.data64 === undefined ? JSON.stringify(event.data) : `${event.contentType}, base64: ${event.data64}`;
  const data = element('span', 'data cut', text.length > MAX_DATA_CHARS ? `${text.slice(0, MAX_DATA_CHARS)}…` : text);
  const meta = [event.type, event.cursor ?? 'no cursor yet', event.prev === undefined ? null : `prev ${event.prev}`, event.id];
  li.append(badge, element('span', 'name', channel.name), latency, data, element('span', 'meta', meta.filter(Boolean).join('  ·  ')));
  addRow(li);
  $('empty').hidden = true;
});

client.on('gap', ({ gap, channel }) => {
  const why = { expired: 'older than what is kept', epoch: 'the log was recreated', overflow: 'a bound was reached' };
  const text = `gap in ${channel.name}: events after ${gap.after} cannot be replayed (${why[gap.reason] ?? gap.reason}); going on after ${gap.cursor}`;
  mark(text, 'bad');
  say(text);
});

client.on('hole', ({ event, channel }) => {
  const text = `hole in ${channel.name}: ${event.cursor} follows ${event.prev}, position is ${channel.position}; asking again`;
  mark(text, 'bad');
  say(text);
});

client.on('error', ({ error, channel }) => {
  mark(`${channel ? `${channel.name}: ` : ''}${error.code}: ${error.message}`, 'bad');
});

$('clear').addEventListener('click', () => {
  $('events').replaceChildren();
  $('empty').hidden = false;
});

$('events').addEventListener('click', (e) => e.target.closest('.data')?.classList.toggle('cut'));

client.on('wire', ({ direction, frame }) => {
  if (frame.op !== 'event') {
    addWire(element('li', direction, `${clock()} ${direction === 'in' ? '←' : '→'} ${JSON.stringify(frame)}`));
  }
});

// ---- publishing

function drawPublishChannels() {
  const select = $('publish-channel');
  const names = client.channels.map((c) => c.name);
  if (select.dataset.names === names.join('\n')) {
    return;
  }
  const before = select.value;
  select.dataset.names = names.join('\n');
  select.replaceChildren(...names.map((n) => element('option', '', n)));
  select.value = names.includes(before) ? before : (names[0] ?? '');
  drawSnippets();
}

/** The form's event, or null with the complaint shown. */
function drafted() {
  const channel = $('publish-channel').value;
  try {
    const data = JSON.parse($('data').value);
    $('data').removeAttribute('aria-invalid');
    return channel === '' ? complain('Add a channel first.') : { channel, data, type: $('publish-type').value.trim() || undefined };
  } catch (e) {
    $('data').setAttribute('aria-invalid', 'true');
    return complain(`Not JSON: ${e.message}`);
  }
}

function complain(text) {
  $('published').className = 'error';
  $('published').textContent = text;
  return null;
}

async function publish({ channel, data, type }) {
  if (publisher.state !== 'open') {
    publisher.wake();
    complain('The publishing connection is being restored; try again.');
    return;
  }
  try {
    const started = performance.now();
    const answer = await publisher.publish(channel, data, { type });
    $('published').className = 'hint';
    $('published').textContent =
      answer.status === 'stored'
        ? `stored at ${answer.cursor} in ${span(performance.now() - started)}`
        : answer.status === 'sent'
          ? 'sent: an ephemeral event, kept nowhere'
          : 'spooled: Kafka is away, the event is kept and follows';
  } catch (e) {
    complain(`${e.code}: ${e.message}`);
  }
}

$('publish').addEventListener('submit', (e) => {
  e.preventDefault();
  const draft = drafted();
  if (draft) {
    hear(draft.type);
    publish(draft);
  }
});

/** An EventSource hands over only the types it was asked for. */
const heard = new Set(['note']);
function hear(type) {
  if (type && !heard.has(type)) {
    heard.add(type);
    if (client.transport === 'eventsource') {
      client.configure({ types: [...heard] });
    }
  }
}

let tide = 0;
setInterval(() => {
  if ($('flow').checked) {
    const draft = drafted();
    if (draft) {
      tide++;
      const { data } = draft;
      const isObject = data !== null && typeof data === 'object' && !Array.isArray(data);
      publish({ ...draft, data: isObject ? { ...data, n: tide } : data });
    }
  }
}, 1_000);

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function drawSnippets() {
  const channel = $('publish-channel').value || 'demo';
  const type = $('publish-type').value.trim();
  const data = $('data').value.replaceAll('\n', ' ');
  const typeHeader = type === '' ? '' : ` -H ${quoted(`Tidegate-Event-Type: ${type}`)}`;
  const delimiter = channel.includes(':') ? '|' : ':';
  $('curl').textContent =
    `curl -sS -H 'Content-Type: application/json'${typeHeader} -d ${quoted(data)} ${quoted(`${ingest}/v1/channels/${encodeURIComponent(channel)}/events`)}`;
  $('kcat').textContent =
    `echo ${quoted(channel + delimiter + data)} | kcat -P -b ${location.hostname}:9092 -t fanout -K ${quoted(delimiter)} -X partitioner=murmur2_random${type === '' ? '' : ` -H ${quoted(`ce_type=${type}`)}`}`;
  $('sse').textContent = `curl -N ${quoted(`${gateway}/v1/sse?channel=${encodeURIComponent(channel)}`)}`;
}
for (const id of ['publish-channel', 'publish-type', 'data']) {
  $(id).addEventListener('input', drawSnippets);
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const source = $(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(source); // no clipboard without https: at least it is selected
      button.textContent = 'Selected';
    }
    setTimeout(() => (button.textContent = 'Copy'), 1_500);
  });
}

// ---- start

window.addEventListener('online', () => {
  client.wake();
  publisher.wake();
});

for (const name of FIRST_CHANNELS) {
  client.subscribe(name);
}
drawChannels();
client.connect();
publisher.connect();
