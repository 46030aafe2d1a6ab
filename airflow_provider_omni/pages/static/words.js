// Numbers, times and statuses in words. Pure.

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const NONE = "–";

export const count = (number) => (number === null || number === undefined ? NONE : NUMBER.format(number));

export const some = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// The shares of some parts in a whole, in words: whole percents that together are no more than what all parts have together.
export function shares(parts, whole) {
  if (!whole) return parts.map(() => NONE);
  const exact = parts.map((part) => (100 * (part ?? 0)) / whole);
  const tiny = exact.map((one) => one > 0 && one < 1);
  const given = exact.map((one, place) => (tiny[place] ? 1 : Math.floor(one)));
  const sum = (numbers) => numbers.reduce((before, one) => before + one, 0);
  const left = Math.round(sum(exact)) - sum(given);
  const rest = (place) => (tiny[place] ? 0 : exact[place] - Math.floor(exact[place]));
  const places = [...exact.keys()].filter((place) => rest(place) > 0).sort((a, b) => rest(b) - rest(a));
  for (const place of places.slice(0, Math.max(left, 0))) given[place] += 1;
  // More tiny ones than their shares make room for: the largest part gives it.
  if (left < 0) given[given.indexOf(Math.max(...given))] += left;
  return exact.map((one, place) => {
    if (tiny[place]) return "< 1 %";
    return one > 99 && one < 100 ? "> 99 %" : `${given[place]} %`;
  });
}

export const share = (part, whole) => shares([part], whole)[0];

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 1) return `${seconds.toFixed(1)} s`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function ago(time, now) {
  if (time === null) return NONE;
  const seconds = (now - time) / 1000;
  if (Math.abs(seconds) < 2) return "now";
  return seconds > 0 ? `${duration(Math.round(seconds))} ago` : `in ${duration(Math.round(-seconds))}`;
}

export function clock(time, now = Date.now()) {
  if (time === null) return NONE;
  const date = new Date(time);
  const text = CLOCK.format(date);
  return Math.abs(now - time) < 12 * 3600 * 1000 ? text : `${DAY.format(date)}, ${text}`;
}

export const STATES = {
  sending: { words: "Sending", look: "open" },
  sent_open: { words: "Sent, run goes on", look: "open" },
  sent: { words: "Sent", look: "sent" },
  dry_run: { words: "Dry run", look: "off" },
  waiting: { words: "Waiting", look: "open" },
  delivered: { words: "Delivered", look: "ok" },
  reached: { words: "Goal reached", look: "late" },
  undelivered: { words: "Undelivered", look: "bad" },
  timeout: { words: "Timed out", look: "late" },
  failed: { words: "Send failed", look: "bad" },
  error: { words: "Error", look: "bad" },
  stopped: { words: "Stopped", look: "late" },
  unknown: { words: "Unknown", look: "off" },
};

// The words of omni/reasons.py, for refusals and for rows of a ledger.
const STATUSES = {
  UNDELIVERABLE_REJECTED_OPERATOR: "the operator refused it",
  UNDELIVERABLE_NOT_DELIVERED: "the operator could not deliver it",
  UNDELIVERABLE_NOT_SENT: "it was never sent",
  UNDELIVERABLE_NO_DESTINATION: "the recipient has no address on this channel",
  UNDELIVERABLE_REJECTED_PLATFORM: "the request was malformed, or the vendor was out of service",
  EXPIRED_EXPIRED: "the validity period ended before it could be delivered",
  EXPIRED_UNKNOWN: "the validity period ended, for a reason that the vendor does not know",
  EXPIRED_DLR_UNKNOWN: "the validity period ended, and the operator never said what became of it",
  SIGNALS_BLOCKED: "the vendor's fraud protection blocked it",
  REJECTED_NETWORK: "the network is not covered, or not enabled for the account",
  REJECTED_PREFIX_MISSING: "the number's prefix or length is not known",
  REJECTED_DND: "the recipient is on a do-not-disturb list",
  REJECTED_SOURCE: "the sender is not registered for the account",
  REJECTED_SENDER: "the sender is blocked for the account",
  REJECTED_NOT_ENOUGH_CREDITS: "the account has no credit left",
  REJECTED_PREPAID_PACKAGE_EXPIRED: "the account's prepaid package has expired",
  REJECTED_DESTINATION_BLOCKLISTED: "the recipient is on the account's block list",
  REJECTED_DESTINATION_NOT_REGISTERED: "the account may only send to its test numbers, and this is none",
  REJECTED_DESTINATION: "the recipient's number is not valid",
  REJECTED_NOT_REACHABLE: "the recipient cannot be reached",
  REJECTED_ROUTE_NOT_AVAILABLE: "the account has no route to the recipient",
  REJECTED_FLOODING_FILTER: "too many messages to this number within an hour",
  REJECTED_SYSTEM_ERROR: "an error of the vendor's",
  REJECTED_INTERNAL_ERROR: "an error of the vendor's",
  REJECTED_DUPLICATE_MESSAGE_ID: "the vendor has seen this message id before",
  REJECTED_INVALID_UDH: "a malformed header",
  REJECTED_INVALID_VALIDITY_PERIOD: "the validity period is not valid",
  REJECTED_MESSAGE_TOO_LONG: "the text is too long",
  MISSING_TO: "the recipient is missing",
};

// A status in plain words; one that nobody knows here is told by its own name.
export const status = (name) =>
  Object.hasOwn(STATUSES, name) ? STATUSES[name] : String(name).toLowerCase().replaceAll("_", " ");

export function money(cost) {
  const parts = Object.entries(cost ?? {}).map(([currency, amount]) => `${trimmed(amount)} ${currency}`);
  return parts.length ? parts.join(" + ") : NONE;
}

// 0 is 0.00, 0.1000 is 0.10, and 41.8840 is 41.884: what was reported, with at least two places.
function trimmed(amount) {
  const [, whole, places] = String(amount).match(/^(-?\d+)(?:\.(\d*))?$/) ?? [];
  return whole === undefined ? String(amount) : `${whole}.${(places ?? "").replace(/0+$/, "").padEnd(2, "0")}`;
}

export function goal(success) {
  if (success === "all" || success === 1) return "all delivered";
  if (success === "any") return "at least one delivered";
  if (success === "finished") return "every outcome known";
  if (typeof success === "number") return `${Math.round(success * 1000) / 10} % delivered`;
  return null;
}
