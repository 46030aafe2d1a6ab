// The inbox: a page of messages, one of them opened, and the simulator's controls. It shows what the simulator knows and
// keeps nothing but the page that is on the screen.

import { chatOf, el, icon } from "./bubbles.js";

const PAGE = 50;
const REFRESH_MS = 400;
const STATES = {
  "": "All", pending: "Under way", delivered: "Delivered", failed: "Failed", refused: "Refused", operator: "Operator", scheduled: "Scheduled",
};
const SHORT = { scheduled: "Later" };
const DECISIONS = { delivered: "Delivered", operator: "At operator", failed: "Failed", expired: "Expired", "all-failed": "All channels failed" };
const HAPPENED = { delivered: "delivered", operator: "handed to the operator", failed: "failed", expired: "expired", pending: "under way" };
const TO_COME = { delivered: "delivers", operator: "hands over to the operator", failed: "fails", expired: "expires", pending: "goes on" };
const JUMPS = { "1 min": 60, "10 min": 600, "1 h": 3600, "24 h": 86400, "48 h": 172800 };
const FILTERS = ["account", "query", "state", "scenario_key", "bulk_id", "to"];
const $ = (id) => document.getElementById(id);

const view = { overview: null, page: null, detail: null, pages: [], before: null, opened: new Set(["way"]), known: new Set(), ahead: 0 };
const filters = Object.fromEntries(FILTERS.map((name) => [name, new URLSearchParams(location.search).get(name) ?? ""]));

// Calls

async function call(method, path, members = {}) {
  const url = new URL(`simulator/${path}`, document.baseURI);
  if (filters.account) url.searchParams.set("account", filters.account);
  const options = { method, headers: {}, cache: "no-store" };
  if (method === "GET") for (const [name, value] of Object.entries(members)) url.searchParams.set(name, value);
  else {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(members);
  }
  const answer = await fetch(url, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `The simulator answered with ${answer.status}`);
  return body;
}

/** Do what a button asks for, say what came of it, and show it. */
async function act(work) {
  try {
    const said = await work();
    if (said) say(said);
    await refresh();
  } catch (problem) {
    say(problem.message);
  }
}

let sayingUntil = 0;
function say(words) {
  $("toast").textContent = words;
  $("toast").classList.add("shown");
  clearTimeout(sayingUntil);
  sayingUntil = setTimeout(() => $("toast").classList.remove("shown"), 4000);
}

// Words

const number = (value) => value.toLocaleString("en");
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const person = (to) => (/^\d+$/.test(to) ? `+${to}` : to || "nobody");
const now = () => (view.overview && !view.overview.runs ? view.overview.time : Date.now() / 1000 + view.ahead);
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const yearFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

function moment(at, short = false) {
  const date = new Date(at * 1000);
  const today = new Date(now() * 1000);
  if (date.toDateString() === today.toDateString()) return clockFormat.format(date);
  const day = (date.getFullYear() === today.getFullYear() ? dayFormat : yearFormat).format(date);
  return short ? day : `${day}, ${clockFormat.format(date)}`;
}

function timeOf(at, short = false) {
  return el("time", { datetime: new Date(at * 1000).toISOString(), title: new Date(at * 1000).toISOString(), text: moment(at, short) });
}

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.round(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.round(whole / 86400)} days`;
}

// The list

function query() {
  const members = {};
  for (const name of FILTERS) if (name !== "account" && filters[name]) members[name] = filters[name];
  return members;
}

const isFiltered = () => Object.keys(query()).length > 0;

let asked = 0;
async function refreshList() {
  const mine = ++asked;
  const members = { ...query(), limit: PAGE };
  if (view.before) members.before = view.before;
  try {
    const page = await call("GET", "messages", members);
    if (mine !== asked) return;
    problem("");
    view.page = page;
    takeOverview(page);
    drawList();
  } catch (failure) {
    if (mine !== asked) return;
    problem(failure.message);
  }
}

function problem(words) {
  $("search-problem").textContent = words;
  $("search-problem").hidden = !words;
}

function drawList() {
  const { messages, matched, next } = view.page;
  const list = $("list");
  const fresh = view.known.size > 0 && !view.before;
  // Rows that show the same stay the same elements: a click must not fall between two of them.
  const standing = new Map([...list.children].map((item) => [item.dataset.drawn, item]));
  messages.forEach((message, place) => {
    const drawn = JSON.stringify(message);
    const item = standing.get(drawn) ?? el("li", { "data-drawn": drawn }, rowOf(message, fresh && !view.known.has(message.number)));
    const older = list.querySelector(`.row[data-number="${message.number}"]`)?.parentElement;
    if (older && older !== item) {
      const isFocused = older.contains(document.activeElement);
      older.replaceWith(item);
      if (isFocused) item.firstElementChild.focus({ preventScroll: true });
    }
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  while (list.children.length > messages.length) list.lastElementChild.remove();
  view.known = new Set(messages.map((message) => message.number));
  markOpened();
  const links = [...list.querySelectorAll(".row")];
  const first = links.find((link) => link === document.activeElement) ?? links.find((link) => link.hasAttribute("aria-current")) ?? links[0];
  for (const link of links) link.tabIndex = link === first ? 0 : -1;
  $("news").hidden = true;
  $("empty").hidden = messages.length > 0;
  if (!messages.length) drawEmpty();
  const before = view.pages.length * PAGE;
  $("range").textContent = messages.length
    ? `${number(before + 1)}–${number(before + messages.length)} of ${number(Math.max(matched, before + messages.length))}`
    : "";
  $("newer").disabled = !view.pages.length;
  $("older").disabled = !next;
  $("delete-matching").hidden = !messages.length;
  $("delete-matching").textContent = isFiltered() ? "Delete these…" : "Delete all…";
  drawChips();
}

function rowOf(message, fresh) {
  const type = message.type && message.type !== "TEXT" ? el("span", { class: "kind", text: message.type }) : null;
  const words = message.text ?? message.hint ?? "No text";
  return el(
    "a",
    { class: fresh ? "row fresh" : "row", href: `#${message.number}`, "data-number": message.number },
    icon(message.state, message.state),
    el(
      "span",
      {},
      el("span", { class: "top" }, el("bdi", { class: "who", text: person(message.to) }), pathOf(message)),
      el("span", { class: "text" }, type, el("bdi", { dir: "auto", text: words })),
    ),
    el("span", { class: "side" }, timeOf(message.at, true), el("span", { class: `tone-${message.state}`, text: STATES[message.state] ?? message.state })),
  );
}

function pathOf(message) {
  const parts = message.flow.flatMap((channel, place) => [
    place ? el("span", { "aria-hidden": "true", text: "›" }) : null,
    el("b", { text: channel, "data-on": channel === message.channel && message.state !== "scheduled" && message.state !== "refused" ? "" : null }),
  ]);
  return el("span", { class: "path" }, ...parts.filter(Boolean));
}

function drawEmpty() {
  const empty = $("empty");
  if (isFiltered()) {
    empty.replaceChildren(icon("inbox"), el("h3", { text: "No message matches" }), el("button", { type: "button", class: "button", text: "Show all messages", onclick: () => setFilters({ query: "", state: "", scenario_key: "", bulk_id: "", to: "" }) }));
    return;
  }
  const url = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const connection = JSON.stringify({ conn_type: "omni", host: url, login: view.overview?.login ?? "demo", password: "…" });
  empty.replaceChildren(
    icon("inbox"),
    el("h3", { text: "Nothing was sent yet" }),
    el("p", { text: "Messages show up here as they arrive. Let Airflow send to this connection:" }),
    el("pre", { text: `AIRFLOW_CONN_OMNI_DEFAULT='${connection}'` }),
    el("button", { type: "button", class: "button", text: "Copy", onclick: () => copy(`AIRFLOW_CONN_OMNI_DEFAULT='${connection}'`) }),
    el("p", { class: "small", text: "Or start the simulator with --demo to look around." }),
  );
}

function drawStates() {
  // A tab says how many there are of its state in what is searched for.
  const isSearched = FILTERS.some((name) => !["account", "state"].includes(name) && filters[name]);
  const counts = (isSearched && view.page?.matched_by_state) || view.overview.counts;
  const total = Object.values(counts).reduce((all, one) => all + one, 0);
  const shown = Object.entries(STATES).filter(([state]) => !["operator", "scheduled"].includes(state) || counts[state] || filters.state === state);
  const standing = [...$("states").children];
  if (standing.map((tab) => tab.dataset.state).join() !== shown.map(([state]) => state).join()) {
    $("states").replaceChildren(...shown.map(([state, words]) =>
      el("button", { type: "button", class: "state-tab", "data-state": state, onclick: () => setFilters({ state }) }, SHORT[state] ?? words, " ", el("span", { class: "n" })),
    ));
  }
  for (const tab of $("states").children) {
    const { state } = tab.dataset;
    tab.setAttribute("aria-pressed", String(filters.state === state));
    tab.lastElementChild.textContent = number(state ? counts[state] : total);
  }
}

function drawChips() {
  const chips = [];
  for (const [name, words] of [["to", "To"], ["bulk_id", "Bulk"]]) {
    if (!filters[name]) continue;
    chips.push(el("button", { type: "button", class: "chip", onclick: () => setFilters({ [name]: "" }) }, el("span", {}, `${words} `, el("bdi", { text: filters[name] })), el("span", { class: "sr", text: ", remove this filter" }), icon("close")));
  }
  $("chips").replaceChildren(...chips);
  $("chips").hidden = !chips.length;
}

function drawScenarios() {
  const known = view.overview.scenarios;
  const options = [el("option", { value: "", text: "All scenarios" }), ...known.map((one) => el("option", { value: one.key, text: one.name ? `${one.name} (${one.key.slice(0, 6)}…)` : one.key }))];
  if (filters.scenario_key && !known.some((one) => one.key === filters.scenario_key)) options.push(el("option", { value: filters.scenario_key, text: filters.scenario_key }));
  const drawn = JSON.stringify(options.map((one) => [one.value, one.textContent]));
  if ($("scenario").dataset.drawn !== drawn) {
    $("scenario").replaceChildren(...options);
    $("scenario").dataset.drawn = drawn;
  }
  $("scenario").value = filters.scenario_key;
}

function setFilters(changes) {
  Object.assign(filters, changes);
  view.before = null;
  view.pages = [];
  view.known = new Set();
  $("search").value = filters.query;
  const kept = new URLSearchParams(FILTERS.filter((name) => filters[name]).map((name) => [name, filters[name]]));
  history.replaceState(null, "", `${location.pathname}${kept.size ? `?${kept}` : ""}${location.hash}`);
  $("list-scroll").scrollTop = 0;
  if (view.overview) {
    drawStates();
    drawScenarios();
  }
  return refreshList();
}

// One message

const openedNumber = () => Number(/^#(\d+)$/.exec(location.hash)?.[1] ?? 0);

function markOpened() {
  for (const link of document.querySelectorAll(".row")) {
    if (link.dataset.number === String(openedNumber())) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

let askedDetail = 0;
async function refreshDetail() {
  const wanted = openedNumber();
  const mine = ++askedDetail;
  $("panes").dataset.open = wanted ? "yes" : "no";
  markOpened();
  if (!wanted) {
    view.detail = null;
    drawNothing("Choose a message", "It is shown as on the phone, with all that happened to it.");
    return;
  }
  try {
    const detail = await call("GET", "message", { number: wanted });
    if (mine !== askedDetail) return;
    const { time, ...lasting } = detail;
    const drawn = JSON.stringify(lasting);
    if (view.detail?.drawn === drawn) return;
    const isOther = view.detail?.number !== detail.number;
    view.detail = { ...detail, drawn };
    drawDetail(isOther);
  } catch (failure) {
    if (mine !== askedDetail) return;
    view.detail = null;
    drawNothing("Not here any more", failure.message);
  }
}

function drawNothing(title, words) {
  $("detail").replaceChildren(el("div", { class: "nothing" }, icon("phone"), el("strong", { text: title }), el("p", { text: words }), openedNumber() ? el("button", { type: "button", class: "button", text: "Back to the list", onclick: close }) : null));
}

function close() {
  const number = openedNumber();
  history.pushState(null, "", location.pathname + location.search);
  refreshDetail();
  (document.querySelector(`.row[data-number="${number}"]`) ?? $("list")).focus({ preventScroll: false });
}

function drawDetail(isOther) {
  const one = view.detail;
  const pane = $("detail");
  const focusedKey = document.activeElement?.dataset?.key;
  const scrolled = isOther ? 0 : pane.scrollTop;
  pane.replaceChildren(
    el(
      "article",
      { class: "message", "aria-labelledby": "who" },
      el(
        "header",
        { class: "head" },
        el("button", { type: "button", class: "button icon-only back", "data-key": "back", onclick: close }, icon("back"), el("span", { class: "sr", text: "Back to the list" })),
        el("h2", { id: "who" }, el("bdi", { text: person(one.to) })),
        el("span", { class: `verdict tone-${one.state}` }, icon(one.state), STATES[one.state] ?? one.state),
      ),
      decisionsOf(one),
      el("section", { class: "phones", "aria-label": "On the phone" }, ...phonesOf(one)),
      wayOf(one),
      factsOf(one),
      reportsOf(one),
      logsOf(one),
      requestOf(one),
    ),
  );
  pane.scrollTop = scrolled;
  if (focusedKey) pane.querySelector(`[data-key="${CSS.escape(focusedKey)}"]`)?.focus({ preventScroll: true });
}

function decisionsOf(one) {
  const names = Object.keys(one.decisions);
  if (!names.length && one.state !== "scheduled") return null;
  const wait = one.next_change === null ? null : Math.max(0, one.next_change - now());
  const jump = wait === null ? null : el("button", { type: "button", class: "button", "data-key": "next", text: `Advance to its next change (${span(wait)})`, onclick: () => act(async () => {
    const gap = Math.max(0, one.next_change - (await call("GET", "clock")).time);
    await call("POST", "clock", { advance: gap + 0.001 });
    return "Time has moved ahead";
  }) });
  const buttons = names.map((name) => el("button", { type: "button", class: name === "delivered" ? "button primary" : "button", "data-key": `decide-${name}`, title: one.decisions[name], text: DECISIONS[name] ?? name, onclick: () => act(async () => {
    const { decided } = await call("POST", "messages/decide", { outcome: name, number: one.number });
    return decided ? `Decided: ${one.decisions[name]}` : "It is not under way any more";
  }) }));
  const title = names.length ? `What becomes of it on ${one.channel || "its channel"}?` : "It is not sent yet.";
  return el("section", { class: "card decide", "aria-labelledby": "decide-title" }, el("h3", { id: "decide-title", text: title }), el("div", { class: "buttons" }, ...buttons, jump));
}

function phonesOf(one) {
  const channels = Object.keys(one.content).sort((a, b) => place(one, a) - place(one, b));
  return channels.map((channel) => {
    const step = one.steps.find((tried) => tried.channel === channel && tried.begun);
    const [end, tone] = endOf(one, channel, step);
    return el(
      "section",
      { class: "phone", "data-channel": channel, "data-reached": tone === "delivered" || tone === "pending" || tone === "operator" ? "yes" : "no", "aria-label": `${channel}: ${end}` },
      el(
        "header",
        { class: "phone-head" },
        el("span", { class: "avatar", "aria-hidden": "true", text: channel === "SMS" ? "S" : channel[0] }),
        el("span", { class: "name" }, el("strong", {}, el("bdi", { text: one.senders[channel] ?? channel })), el("small", { text: channel })),
        el("span", { class: `end tone-${tone}` }, icon(tone === "scheduled" ? "planned" : tone), end),
      ),
      el("div", { class: "chat" }, ...chatOf(channel, one.content[channel], one.texts[channel])),
    );
  });
}

function place(one, channel) {
  const at = one.flow.indexOf(channel);
  return at < 0 ? 99 : at;
}

function endOf(one, channel, step) {
  if (one.state === "refused") return ["Never sent", "refused"];
  if (!one.flow.includes(channel)) return ["Not in the flow", "scheduled"];
  if (!step) return ["Not tried", "scheduled"];
  const happened = step.changes.filter((change) => change.happened);
  if (happened.some((change) => change.status.groupId === 3 && change.status.id !== 2)) return ["Delivered", "delivered"];
  const last = happened.at(-1)?.status;
  if (!last) return ["Under way", "pending"];
  if (last.id === 2) return ["At operator", "operator"];
  return { 2: ["Failed", "failed"], 4: ["Expired", "failed"], 5: ["Rejected", "failed"] }[last.groupId] ?? ["Under way", "pending"];
}

function wayOf(one) {
  const items = [];
  const add = (at, mark, tone, what, why, planned = false) => items.push({ at, mark, tone, what, why, planned });
  if (one.refusal) add(one.at, "refused", "refused", "Refused in the answer", `${one.refusal.name}: ${one.refusal.description}`);
  else {
    add(one.at, "sent", "delivered", "Accepted", `by scenario ${one.scenario_name ?? one.scenario_key}: ${one.flow.join(", then ")}`);
    if (one.starts_at > one.at) add(one.starts_at, "scheduled", "scheduled", "To be sent", "as sendAt says", one.starts_at > one.time);
  }
  for (const step of one.refusal ? [] : one.steps) {
    add(step.started_at, "sent", "pending", step.begun ? `Sent by ${step.channel}` : `${step.channel} begins`, step.sender ? `from ${step.sender}` : "", !step.begun);
    for (const change of step.changes) {
      const tone = change.status.groupId === 3 ? (change.status.id === 2 ? "operator" : "delivered") : [2, 4, 5].includes(change.status.groupId) ? "failed" : "pending";
      const error = change.error ? `, ${change.error.name} (${change.error.description})` : "";
      const end = tone === "failed" && change.status.groupId === 4 ? "expired" : tone;
      const words = (change.happened ? HAPPENED : TO_COME)[end];
      add(change.at, tone, tone, `${step.channel} ${words}`, `${change.status.name}${error}`, !change.happened);
    }
  }
  items.sort((a, b) => a.at - b.at);
  const entries = items.map((item, index) => {
    const beforePlanned = !item.planned && items[index + 1]?.planned;
    return el(
      "li",
      { class: item.planned ? "planned" : beforePlanned ? "before-planned" : null },
      icon(item.planned ? "planned" : item.mark, item.planned ? "scheduled" : item.tone),
      el("span", { class: "what" }, item.what, item.planned ? el("span", { class: "planned-mark", text: "to come" }) : null),
      timeOf(item.at),
      item.why ? el("span", { class: "why" }, el("bdi", { text: item.why })) : null,
    );
  });
  return el("section", { class: "card", "aria-labelledby": "way-title" }, el("h3", { id: "way-title", text: "Its way through the flow" }), el("ol", { class: "way" }, ...entries));
}

function factsOf(one) {
  const fact = (name, ...value) => el("div", {}, el("dt", { text: name }), el("dd", { class: /id|key|data/i.test(name) ? "mono" : null }, ...value));
  const link = (words, changes) => el("button", { type: "button", class: "link", "data-key": words, text: words, onclick: () => { setFilters({ query: "", state: "", scenario_key: "", bulk_id: "", to: "", ...changes }); if (matchMedia("(max-width: 860px)").matches) close(); } });
  const facts = [
    fact("Message id", el("bdi", { text: one.message_id })),
    one.bulk_id ? fact("Bulk id", el("bdi", { text: one.bulk_id }), el("br"), link(one.others ? `Show it with ${plural(one.others, "other")}` : "Show this bulk", { bulk_id: one.bulk_id })) : null,
    fact("Scenario", el("bdi", { text: one.scenario_name ?? one.scenario_key }), el("br"), link("Show this scenario", { scenario_key: one.scenario_key })),
    one.to ? fact("Recipient", el("bdi", { text: person(one.to) }), el("br"), link("Show all to this person", { to: one.to })) : null,
    fact("Accepted", timeOf(one.at)),
    one.callback_data ? fact("Callback data", el("bdi", { text: one.callback_data })) : null,
    one.notify_url ? fact("Notify URL (not called)", el("bdi", { text: one.notify_url })) : null,
  ];
  return el("section", { class: "card", "aria-label": "Facts" }, el("dl", { class: "facts" }, ...facts.filter(Boolean)));
}

function folded(key, title, count, ...children) {
  const made = el("details", { class: "card", open: view.opened.has(key) }, el("summary", { "data-key": key }, title, count === null ? null : el("span", { class: "n", text: count })), ...children);
  made.addEventListener("toggle", () => (made.open ? view.opened.add(key) : view.opened.delete(key)));
  return made;
}

function tableOf(heads, rows) {
  const head = el("thead", {}, el("tr", {}, ...heads.map((words) => el("th", { scope: "col", text: words }))));
  const body = el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell ?? "")))));
  return el("div", { class: "table-scroll" }, el("table", {}, head, body));
}

const raw = (value) => el("pre", { class: "json", tabindex: "0", text: JSON.stringify(value, null, 2) });

function reportsOf(one) {
  const rows = one.reports.map((report) => [report.what, timeOf(report.at), report.channel, report.status]);
  const bodies = one.reports.filter((report) => report.body).map((report) => raw(report.body));
  return folded("reports", "Reports", String(rows.length), rows.length ? tableOf(["Report", "Time", "Channel", "Status"], rows) : el("p", { class: "muted", text: "There is no report of it." }), ...bodies);
}

function logsOf(one) {
  const rows = one.logs.map((row) => [row.channel, row.status.name, row.sentAt, row.doneAt ?? "–", `${row.price.pricePerMessage} ${row.price.currency}`, String(row.messageCount)]);
  return folded("logs", "Logs", String(rows.length), rows.length ? tableOf(["Channel", "Status", "Sent", "Done", "Price", "Parts"], rows) : el("p", { class: "muted", text: "The logs do not show it." }), ...one.logs.map(raw));
}

function requestOf(one) {
  const sent = one.request;
  if (!sent) return null;
  let body = sent.body;
  if (body !== null && !sent.cut) {
    try {
      body = JSON.stringify(JSON.parse(body), null, 2);
    } catch {
      // Shown as it came.
    }
  }
  const head = el("div", { class: "pre-head" }, el("span", { class: "mono", text: `${sent.method} ${sent.path}` }), body === null ? null : el("button", { type: "button", class: "button", "data-key": "copy", text: "Copy", onclick: () => copy(body) }));
  const note = sent.body === null ? "Its body is no longer kept: many newer ones came." : sent.cut ? `The first ${number(sent.body.length)} of ${number(sent.bytes)} bytes.` : "";
  const headers = Object.entries(sent.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
  return folded("request", "Request", sent.bytes === null ? "" : plural(sent.bytes, "byte"), head, note ? el("p", { class: "muted", text: note }) : null, headers ? el("pre", { tabindex: "0", text: headers }) : null, body === null ? null : el("pre", { class: "json", tabindex: "0", text: body }));
}

async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    say("Copied");
  } catch {
    say("The browser does not let this page copy: select the text instead");
  }
}

// Live

function takeOverview(overview) {
  const isNew = view.overview === null;
  view.overview = { ...view.overview, ...overview };
  view.ahead = overview.time - Date.now() / 1000;
  $("fault-count").textContent = String(overview.faults + overview.held);
  $("fault-count").hidden = overview.faults + overview.held === 0;
  $("held-section").hidden = overview.held === 0;
  $("held-text").textContent = `${plural(overview.held, "answer")} held back. Released, the caller gets it; dropped, the connection is reset.`;
  for (const radio of document.querySelectorAll('input[name="fates"]')) radio.checked = radio.value === overview.fates;
  const accounts = view.overview.accounts ?? [];
  $("account-field").hidden = accounts.length < 2;
  const drawn = JSON.stringify(accounts);
  if ($("account").dataset.drawn !== drawn) {
    $("account").dataset.drawn = drawn;
    $("account").replaceChildren(...accounts.map((login) => el("option", { value: login, text: login })));
  }
  $("account").value = overview.login;
  document.title = overview.total ? `Inbox (${number(overview.total)}) · OMNI simulator` : "Inbox · OMNI simulator";
  drawStates();
  drawScenarios();
  tick();
  return isNew;
}

let shownVersion = null;
let due = 0;
let lastRefresh = 0;
function refreshSoon() {
  if (due) return;
  due = setTimeout(async () => {
    due = 0;
    lastRefresh = Date.now();
    await refresh();
  }, Math.max(0, lastRefresh + REFRESH_MS - Date.now()));
}

async function refresh() {
  const scrolledAway = $("list-scroll").scrollTop > 80;
  const work = [refreshDetail()];
  if (!view.before && !scrolledAway) work.push(refreshList());
  else if (!view.before) {
    $("news").textContent = "Show what is new";
    $("news").hidden = false;
  } else work.push(refreshList());
  await Promise.all(work);
}

let stream = null;
function connect() {
  stream?.close();
  const url = new URL("simulator/events", document.baseURI);
  if (filters.account) url.searchParams.set("account", filters.account);
  stream = new EventSource(url);
  stream.addEventListener("open", () => live(true));
  stream.addEventListener("error", () => {
    live(false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  });
  stream.addEventListener("overview", (event) => {
    live(true);
    const overview = JSON.parse(event.data);
    takeOverview(overview);
    if ($("controls").open) drawFaults();
    if (overview.version !== shownVersion || openedNumber()) refreshSoon();
    shownVersion = overview.version;
  });
}

function live(isLive) {
  $("live").dataset.on = isLive ? "yes" : "no";
  $("live-text").textContent = isLive ? "Live" : "Not connected";
}

function tick() {
  if (!view.overview) return;
  const date = new Date(now() * 1000);
  $("clock").textContent = moment(now());
  $("clock").dateTime = date.toISOString();
  $("clock-long").textContent = `${yearFormat.format(date)}, ${clockFormat.format(date)}${view.overview.runs ? "" : ", stands still"}`;
  const ahead = view.overview.runs ? view.ahead : 0;
  $("open-time").title = Math.abs(ahead) > 5 ? `Ahead of the machine by ${span(ahead)}` : "The simulator's time";
}

// Controls

let faultKinds = {};
async function drawFaults() {
  const { planned, kinds } = await call("GET", "faults");
  faultKinds = kinds;
  if (!$("fault-kind").options.length) {
    $("fault-kind").replaceChildren(...Object.keys(kinds).map((name) => el("option", { value: name, text: name })));
    $("fault-kind").value = "error-before";
    $("fault-call").replaceChildren(...["any", "send", "reports", "logs", "create_scenario", "list_scenarios", "get_scenario", "update_scenario"].map((name) => el("option", { value: name, text: name })));
    drawParameters();
  }
  $("clear-faults").disabled = !planned.length;
  const drawn = JSON.stringify(planned);
  if ($("planned").dataset.drawn === drawn) return;
  $("planned").dataset.drawn = drawn;
  $("planned").replaceChildren(...planned.map((fault) => {
    const extras = (kinds[fault.kind]?.parameters ?? []).filter((name) => fault[name] !== null && fault[name] !== undefined && fault[name] !== 0).map((name) => `${name} ${fault[name]}`);
    const left = fault.left === null ? "for ever" : `${fault.left} to come`;
    return el("li", {}, el("strong", { text: fault.kind }), ` on ${fault.call}, ${[left, `${fault.fired} struck`, ...extras].join(", ")}`);
  }));
}

const NUMERIC = { seconds: "any", retry_after: "any", fraction: "any", status: "1", count: "1", mebibytes: "1" };
const USUAL = { seconds: "1", status: "", fraction: "0.5", count: "1", mebibytes: "65", retry_after: "" };
function drawParameters() {
  const kind = faultKinds[$("fault-kind").value];
  $("fault-what").textContent = kind ? kind.what.replaceAll("`", "") : "";
  const fields = (kind?.parameters ?? []).map((name) => {
    const field = name === "body"
      ? el("select", { name }, ...["", "legacy", "current", "empty"].map((value) => el("option", { value, text: value || "as the switch says" })))
      : el("input", { name, type: "number", min: "0", step: NUMERIC[name] ?? "any", value: USUAL[name] ?? "" });
    return el("label", {}, name[0].toUpperCase() + name.slice(1).replace("_", " "), field);
  });
  $("fault-parameters").replaceChildren(...fields);
}

async function openControls(part) {
  try {
    await drawFaults();
  } catch (failure) {
    say(failure.message);
  }
  if (!$("controls").open) $("controls").showModal();
  showControls(part);
}

// One part at a time, each from its top: what was asked for is not somewhere in a long page.
function showControls(part) {
  for (const section of document.querySelectorAll("#controls-body > section")) section.classList.toggle("aside", section.dataset.part !== part);
  for (const tab of document.querySelectorAll("#controls-parts button")) {
    const isChosen = tab.dataset.part === part;
    tab.setAttribute("aria-pressed", String(isChosen));
    if (isChosen) tab.focus();
  }
  $("controls-body").scrollTop = 0;
}

function ask(title, words, yes) {
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = words;
  $("confirm-yes").textContent = yes;
  $("confirm").returnValue = "no";
  $("confirm").showModal();
  return new Promise((resolve) => $("confirm").addEventListener("close", () => resolve($("confirm").returnValue === "yes"), { once: true }));
}

const advance = (seconds) => act(async () => {
  await call("POST", "clock", { advance: seconds });
  return `Time has moved ahead by ${span(seconds)}`;
});

async function drawFates() {
  if ($("fates-table").rows.length) return;
  const fates = await call("GET", "fates");
  const endings = Object.keys(fates).filter((ending) => ending !== "default").sort();
  $("fates-table").replaceChildren(...[["any other", fates.default], ...endings.map((ending) => [ending, fates[ending]])].map(([ending, what]) => el("tr", {}, el("td", { text: ending }), el("td", { text: what }))));
}

// Theme

const THEMES = ["auto", "light", "dark"];
function theme(wanted) {
  const chosen = THEMES.includes(wanted) ? wanted : "auto";
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  $("theme").replaceChildren(icon(chosen), el("span", { class: "sr", id: "theme-text", text: `Theme: ${chosen}` }));
  $("theme").title = `Theme: ${chosen}`;
  return chosen;
}

function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem("omni-theme");
    localStorage.setItem("omni-theme", value);
  } catch {
    // Without storage the theme lasts as long as the page.
  }
  return null;
}

// Wiring

let chosenTheme = theme(stored());
$("theme").addEventListener("click", () => {
  chosenTheme = theme(THEMES[(THEMES.indexOf(chosenTheme) + 1) % THEMES.length]);
  stored(chosenTheme);
});
$("open-help").prepend(icon("help"));
for (const button of document.querySelectorAll("[data-close]")) {
  button.prepend(icon("close"));
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

$("open-time").addEventListener("click", () => openControls("time"));
$("open-faults").addEventListener("click", () => openControls("faults"));
for (const tab of document.querySelectorAll("#controls-parts button")) tab.addEventListener("click", () => showControls(tab.dataset.part));
$("open-help").addEventListener("click", () => {
  $("help").showModal();
  drawFates().catch((failure) => say(failure.message));
});
$("jumps").replaceChildren(...Object.entries(JUMPS).map(([words, seconds]) => el("button", { type: "button", class: "button", text: `+ ${words}`, onclick: () => advance(seconds) })));
$("jump-form").addEventListener("submit", (event) => {
  event.preventDefault();
  advance(Number($("jump-seconds").value));
});
for (const radio of document.querySelectorAll('input[name="fates"]')) radio.addEventListener("change", () => act(async () => {
  await call("POST", "switches", { fates: radio.value });
  return radio.value === "by-hand" ? "New messages wait for your decision" : "The last two digits decide";
}));
$("fault-kind").addEventListener("change", drawParameters);
$("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const times = $("fault-times").value.trim();
  const fault = { kind: $("fault-kind").value, call: $("fault-call").value, times: times === "forever" ? null : Number(times) };
  for (const field of $("fault-parameters").querySelectorAll("[name]")) if (field.value !== "") fault[field.name] = field.name === "body" ? field.value : Number(field.value);
  act(async () => {
    await call("POST", "faults", fault);
    await drawFaults();
    return "The fault is planned";
  });
});
$("clear-faults").addEventListener("click", () => act(async () => {
  await call("DELETE", "faults");
  await drawFaults();
  return "No fault is planned";
}));
$("release").addEventListener("click", () => act(async () => `${plural((await call("POST", "release")).released, "answer")} released`));
$("drop").addEventListener("click", () => act(async () => `${plural((await call("POST", "drop")).dropped, "answer")} dropped`));
$("reset").addEventListener("click", async () => {
  if (await ask("Forget everything?", "Messages, scenarios, record and faults of this account are gone then.", "Forget everything")) act(async () => {
    await call("POST", "reset");
    location.hash = "";
    return "Everything is forgotten";
  });
});
$("delete-matching").addEventListener("click", async () => {
  const members = query();
  const count = view.page?.matched ?? 0;
  if (await ask(`Delete ${plural(count, "message")}?`, "It is as if they had never been sent: they leave record, reports and logs, and their ids may be sent again.", "Delete")) act(async () => `${plural((await call("DELETE", "messages", isFiltered() ? members : { all: true })).deleted, "message")} deleted`);
});

let typing = 0;
$("search").value = filters.query;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => setFilters({ query: $("search").value.trim() === "" ? "" : $("search").value }), 180);
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("scenario").addEventListener("change", () => setFilters({ scenario_key: $("scenario").value }));
$("account").addEventListener("change", () => {
  location.hash = "";
  setFilters({ account: $("account").value, query: "", state: "", scenario_key: "", bulk_id: "", to: "" });
  connect();
});
$("older").addEventListener("click", () => {
  if (!view.page?.next) return;
  view.pages.push(view.before);
  view.before = view.page.next;
  $("list-scroll").scrollTop = 0;
  refreshList();
});
$("newer").addEventListener("click", () => {
  view.before = view.pages.pop() ?? null;
  $("list-scroll").scrollTop = 0;
  refreshList();
});
$("news").addEventListener("click", () => {
  $("list-scroll").scrollTop = 0;
  refreshList();
});

function step(by) {
  const links = [...document.querySelectorAll(".row")];
  if (!links.length) return;
  const focused = links.indexOf(document.activeElement);
  const from = focused >= 0 ? focused : links.findIndex((link) => link.dataset.number === String(openedNumber()));
  const to = links[Math.min(Math.max(from + by, 0), links.length - 1)];
  for (const link of links) link.tabIndex = link === to ? 0 : -1;
  to.focus();
  if (openedNumber()) location.replace(to.href);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inField = event.target.closest("input, select, textarea");
  if (event.key === "Escape") {
    if (event.target === $("search")) {
      event.preventDefault(); // the browser would empty the field
      $("search").blur();
    } else if (openedNumber()) close();
    return;
  }
  if (inField) {
    if (event.target === $("search") && event.key === "ArrowDown") {
      event.preventDefault();
      step(1);
    }
    return;
  }
  const keys = { "/": () => $("search").focus(), j: () => step(1), k: () => step(-1) };
  // In a message they scroll it; anywhere else they go through the list, whether it has the focus or not.
  if (!event.target.closest(".detail-pane")) Object.assign(keys, { ArrowDown: () => step(1), ArrowUp: () => step(-1) });
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

addEventListener("hashchange", () => {
  refreshDetail().then(() => {
    if (openedNumber() && !document.activeElement?.closest(".list-pane, dialog")) $("detail").focus({ preventScroll: true });
    if (openedNumber() && matchMedia("(max-width: 860px)").matches) $("detail").focus({ preventScroll: true });
  });
});

setInterval(tick, 1000);
refreshList();
refreshDetail();
connect();
