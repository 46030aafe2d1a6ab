// What the XComs `omni_delivery` of sends and waits say, read and put together. Pure: no page, no network.

const OPEN = new Set(["sending", "waiting", "sent_open"]);
const RUNS_ON = new Set(["running", "queued"]);
const ENDED = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

const record = (found) => (found !== null && typeof found === "object" && !Array.isArray(found) ? found : {});
const list = (found) => (Array.isArray(found) ? found : []);
const text = (found) => (typeof found === "string" && found !== "" ? found : null);
const number = (found) => (typeof found === "number" && Number.isFinite(found) && found >= 0 ? found : null);
const texts = (found) => list(found).filter((one) => typeof one === "string");
const sum = (numbers) => numbers.filter((one) => one !== null).reduce((before, one) => (before ?? 0) + one, null);

function time(found) {
  const read = text(found) === null ? NaN : Date.parse(found);
  return Number.isNaN(read) ? null : read;
}

function numbers(found) {
  const pairs = Object.entries(record(found)).map(([name, one]) => [name, number(one)]);
  return Object.fromEntries(pairs.filter(([, one]) => one !== null));
}

function amounts(found) {
  const pairs = Object.entries(record(found)).map(([name, one]) => [name, typeof one === "number" ? String(one) : one]);
  return Object.fromEntries(pairs.filter(([, one]) => text(one) !== null));
}

// Airflow 3.1 hands out as text what its REST API has written, and as a text of a text what that has changed.
function parsed(found) {
  let value = found;
  for (let layer = 0; layer < 2 && typeof value === "string"; layer++) {
    try {
      value = JSON.parse(value);
    } catch {
      return null;
    }
  }
  return value;
}

// Every member may be absent, or of a kind that this page does not know.
export function readReport(found) {
  const raw = record(parsed(found));
  const kind = raw.kind === "wait" ? "wait" : "send";
  const error = record(raw.error);
  const times = record(raw.seconds_to_delivery);
  return {
    kind,
    send: kind === "wait" && raw.send ? readReport(sendWithin(raw)) : null,
    state: text(raw.state) ?? "unknown",
    at: time(raw.at),
    begunAt: time(raw.begun_at),
    until: time(raw.until),
    nextLook: time(raw.next_look),
    every: number(raw.looks_every),
    scenario: text(raw.scenario_key),
    flow: texts(raw.flow),
    counts: numbers(raw.counts),
    refused: numbers(raw.refused),
    quarantined: numbers(raw.quarantined),
    total: number(raw.total),
    delivered: number(raw.delivered),
    failed: number(raw.failed),
    pending: number(raw.pending),
    byChannel: numbers(raw.by_channel),
    steps: list(raw.steps)
      .map(record)
      .filter((step) => text(step.channel))
      .map((step) => ({
        channel: step.channel,
        delivered: number(step.delivered) ?? 0,
        failed: number(step.failed) ?? 0,
        pending: number(step.pending) ?? 0,
      })),
    reasons: list(raw.reasons)
      .map(record)
      .map((reason) => ({
        channel: text(reason.channel),
        status: text(reason.status),
        error: text(reason.error),
        words: text(reason.words),
        permanent: typeof reason.permanent === "boolean" ? reason.permanent : null,
        count: number(reason.count) ?? 0,
        ids: texts(reason.message_ids),
      })),
    cost: amounts(raw.cost),
    estimate: amounts(raw.estimated_cost ?? raw.estimate),
    parts: number(raw.sms_parts),
    times: { p50: number(times.p50), p95: number(times.p95), max: number(times.max) },
    spread: list(raw.delivery_times)
      .map(record)
      .map((one) => ({ upTo: number(one.up_to), count: number(one.count) ?? 0 })),
    failedIds: texts(raw.failed_message_ids),
    messageIds: texts(raw.message_ids),
    bulkIds: texts(raw.bulk_ids),
    requests: number(raw.requests),
    ledger: text(raw.ledger_path),
    ledgers: [...texts([raw.ledger_path]), ...texts(raw.ledger_paths)].filter(Boolean),
    success: ["string", "number"].includes(typeof raw.success_when) ? raw.success_when : null,
    error: text(error.code) || text(error.message) ? { code: text(error.code), message: text(error.message) } : null,
  };
}

// A task that sends and then waits has one report: what it tells of its send is below `send`.
function sendWithin(raw) {
  const { begun_at, message_ids, bulk_ids, ledger_path } = raw;
  return { ...record(raw.send), kind: "send", at: begun_at, begun_at, message_ids, bulk_ids, ledger_path };
}

export const keyOf = (entry) => JSON.stringify([entry.dag, entry.run, entry.task, entry.map]);

function marks(report) {
  const named = (kind, found) => found.map((one) => kind + one);
  return [...named("b", report.bulkIds), ...named("m", report.messageIds), ...named("l", report.ledgers)];
}

// Sends and waits of one run that are about the same requests, messages or ledger are one delivery.
export function deliveriesOf(entries) {
  const group = new Map(entries.map((entry) => [entry, [entry]]));
  const owner = new Map();
  for (const entry of entries) {
    if (!entry.report) continue;
    for (const mark of marks(entry.report)) {
      const place = JSON.stringify([entry.dag, entry.run, mark]);
      const other = owner.get(place);
      if (other === undefined) {
        owner.set(place, entry);
        continue;
      }
      const [mine, theirs] = [group.get(entry), group.get(other)];
      if (mine === theirs) continue;
      theirs.push(...mine);
      for (const one of mine) group.set(one, theirs);
    }
  }
  return [...new Set(group.values())].map(together).sort((a, b) => b.order - a.order);
}

function together(entries) {
  const sorted = [...entries].sort((a, b) => a.changed - b.changed);
  const told = sorted.filter((entry) => entry.report);
  const within = told.filter((entry) => entry.report.send).map((entry) => ({ ...entry, report: entry.report.send }));
  const sends = [...told.filter((entry) => entry.report.kind === "send"), ...within];
  const waits = told.filter((entry) => entry.report.kind === "wait");
  const wait = waits.at(-1)?.report ?? null;
  const reports = told.map((entry) => entry.report);
  const of = (member) => sum(sends.map((entry) => entry.report.counts[member] ?? null)) ?? wait?.counts[member] ?? null;
  const [first] = [...sends, ...waits, ...sorted];
  const last = waits.at(-1) ?? sends.at(-1) ?? sorted.at(-1);
  const begun = Math.min(...reports.map((report) => report.begunAt ?? Infinity));
  const state = stateOf(sends, waits);
  const flows = reports.map((report) => report.flow).find((flow) => flow.length) ?? [];
  const channels = wait?.steps.length ? wait.steps.map((step) => step.channel) : flows;
  return {
    key: keyOf(first),
    entries: sorted,
    first,
    last,
    sends,
    waits,
    wait,
    state,
    denied: told.length ? null : (sorted[0].problem ?? "reading"),
    open: OPEN.has(state),
    order: Number.isFinite(begun) ? begun : first.changed,
    begun: Number.isFinite(begun) ? begun : first.changed,
    asOf: last.report?.at ?? last.changed,
    nextLook: OPEN.has(state) ? (last.report?.nextLook ?? null) : null,
    every: OPEN.has(state) ? (last.report?.every ?? null) : null,
    until: wait?.until ?? null,
    flow: channels,
    requested: of("requested"),
    accepted: of("accepted") ?? wait?.total ?? null,
    unconfirmed: of("unconfirmed"),
    rejected: of("rejected"),
    quarantinedCount: of("quarantined"),
    duplicates: of("duplicates"),
    suppressed: of("suppressed"),
    refused: added(sends.map((entry) => entry.report.refused)),
    quarantined: added(sends.map((entry) => entry.report.quarantined)),
    total: wait?.total ?? null,
    delivered: wait?.delivered ?? null,
    failed: wait?.failed ?? null,
    pending: wait?.pending ?? null,
    byChannel: wait?.byChannel ?? {},
    steps: wait?.steps ?? [],
    reasons: wait?.reasons ?? [],
    cost: wait?.cost ?? {},
    estimate: reports.map((report) => report.estimate).find((one) => Object.keys(one).length) ?? {},
    parts: sum(sends.map((entry) => entry.report.parts)) ?? wait?.parts ?? null,
    times: wait?.times ?? { p50: null, p95: null, max: null },
    spread: wait?.spread ?? [],
    failedIds: wait?.failedIds ?? [],
    ids: new Set(reports.flatMap((report) => [...report.messageIds, ...report.bulkIds, ...report.failedIds])),
    requests: sum(sends.map((entry) => entry.report.requests)) ?? wait?.requests ?? null,
    scenario: reports.map((report) => report.scenario).find(Boolean) ?? null,
    ledgers: [...new Set(reports.flatMap((report) => report.ledgers))],
    success: wait?.success ?? null,
    errors: reports.map((report) => report.error).filter(Boolean),
  };
}

function stateOf(sends, waits) {
  const states = sends.map(told);
  // Mapped sends are one delivery: it is being sent while one of them sends.
  if (states.includes("sending")) return "sending";
  if (waits.length) {
    const found = told(waits.at(-1));
    return found === "stopped" ? found : endOf(waits.at(-1).report);
  }
  if (states.includes("stopped")) return "stopped";
  if (states.includes("failed")) return "failed";
  const state = states.at(-1) ?? "unknown";
  // A task of this run may yet begin to wait.
  return state === "sent" && RUNS_ON.has(sends.at(-1).runState) ? "sent_open" : state;
}

// What was wanted may be less than everybody.
export const endOf = (report) => (report.state === "delivered" && (report.failed || report.pending) ? "reached" : report.state);

// A report that says "waiting" is the last one of a task that has died, too.
const told = (entry) => (OPEN.has(entry.report.state) && ENDED.has(entry.taskState) ? "stopped" : entry.report.state);

function added(counts) {
  const all = new Map();
  for (const each of counts) for (const [name, one] of Object.entries(each)) all.set(name, (all.get(name) ?? 0) + one);
  return [...all].sort((a, b) => b[1] - a[1]);
}

// What deliveries of several states may have.
export const KINDS = {
  "any-open": (delivery) => delivery.open,
  "any-failed": (delivery) => (delivery.failed ?? 0) + (delivery.rejected ?? 0) > 0,
  "any-quarantined": (delivery) => delivery.quarantinedCount > 0,
};

// `wanted`: text, dag, run, state (a state, or a member of KINDS); an empty one is anything.
export function matches(delivery, wanted) {
  if (wanted.dag && delivery.first.dag !== wanted.dag) return false;
  if (wanted.run && delivery.first.run !== wanted.run) return false;
  const { state } = wanted;
  if (state && !(Object.hasOwn(KINDS, state) ? KINDS[state](delivery) : state === delivery.state)) return false;
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const told = delivery.entries.flatMap((entry) => [entry.dag, entry.dagName, entry.run, entry.task, entry.taskName]);
  const all = [...told, delivery.scenario ?? "", ...delivery.ledgers].join("\n").toLowerCase();
  return words.every((word) => all.includes(word) || [...delivery.ids].some((id) => id.toLowerCase().includes(word)));
}

// Why messages failed, as far as it is told of each by its id: a row for each, with the names of a ledger's columns.
export const FAILED_COLUMNS = ["message_id", "channel", "status", "error", "words", "permanent"];
export function failedRows(delivery) {
  const why = new Map(delivery.reasons.flatMap((reason) => reason.ids.map((id) => [id, reason])));
  return delivery.failedIds.map((id) => {
    const { channel = null, status = null, error = null, words = null, permanent = null } = why.get(id) ?? {};
    return [id, channel, status, error, words, permanent === null ? null : permanent ? "True" : "False"];
  });
}

// The way of the messages: who was asked, and what became of them at each step.
export function wayOf(delivery) {
  const unsent = [
    ["Quarantined", delivery.quarantinedCount],
    ["Refused", delivery.rejected],
    ["Duplicates", delivery.duplicates],
    ["Suppressed", delivery.suppressed],
  ].filter(([, one]) => one);
  const accepted = delivery.total ?? delivery.accepted ?? 0;
  const unsentCount = unsent.reduce((all, [, one]) => all + one, 0);
  const requested = Math.max(delivery.requested ?? 0, accepted + unsentCount);
  let arriving = accepted;
  const steps = delivery.steps.map((step, index) => {
    const asked = step.delivered + step.failed + step.pending;
    const next = delivery.steps[index + 1];
    const on = next ? Math.min(step.failed, next.delivered + next.failed + next.pending) : 0;
    const found = { ...step, asked, on, lost: step.failed - on, arriving };
    arriving = on;
    return found;
  });
  return { requested, accepted, unsent, unsentCount, steps };
}

const QUOTED = /[",\n\r]/;

// Spreadsheets take a cell that begins so for a formula.
const FORMULA = /^[=@\t\r]|^[+-](?!\d+(\.\d+)?$)/;

export function csv(rows) {
  const cell = (found) => {
    let plain = found === null || found === undefined ? "" : String(found);
    if (FORMULA.test(plain)) plain = `'${plain}`;
    return QUOTED.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
