// The list of deliveries.

import { queryOf } from "./address.js";
import { openInAirflow } from "./airflow.js";
import { lookOf, shareBar } from "./charts.js";
import { KINDS, matches } from "./delivery.js";
import { cache, h, replace, say, value } from "./dom.js";
import { NONE, STATES, ago, clock, count, money, shares, some } from "./words.js";

const KIND_WORDS = { "any-open": "Under way", "any-failed": "With failed or refused messages", "any-quarantined": "With quarantined rows" };
// What the list can be filtered by: each state, and what several states may have.
export const STATE_FILTERS = [...Object.keys(KINDS), ...Object.keys(STATES)];
export const SPANS = { day: ["Last 24 hours", 1], week: ["Last 7 days", 7], month: ["Last 30 days", 30], all: ["All", null] };

export const badge = (state) => {
  const { words, look } = Object.hasOwn(STATES, state) ? STATES[state] : STATES.unknown;
  return h("span", { class: `badge badge-${look}` }, words);
};

export const age = (time) =>
  h("time", { "data-at": time, datetime: new Date(time).toISOString(), title: clock(time, 0) }, ago(time, Date.now()));

export const tasksOf = (delivery) => {
  const all = delivery.entries.map((entry) => entry.taskName);
  // One mapped task is named with its index; many of one name are that name.
  const named = ({ taskName, map }) => (map < 0 || all.filter((one) => one === taskName).length > 1 ? taskName : `${taskName} [${map}]`);
  const names = [...new Set(delivery.entries.map(named))];
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more`] : names;
  return shown.flatMap((name, index) => [index ? " → " : "", value(name)]);
};

export const channels = (delivery) => {
  const known = Object.entries(delivery.byChannel).filter(([, one]) => one > 0);
  const order = delivery.flow;
  const place = ([channel]) => (order.includes(channel) ? order.indexOf(channel) : order.length);
  return known.sort((a, b) => place(a) - place(b));
};

export const beside = (words) => [" ", h("span", { class: "quiet small beside" }, words)];

function rowOf(delivery, open) {
  const { first } = delivery;
  const by = channels(delivery);
  const whole = by.reduce((all, [, one]) => all + one, 0);
  const parts = shares(by.map(([, one]) => one), whole);
  const [reached] = shares([delivery.delivered, delivery.failed, delivery.pending], delivery.total);
  const cell = (place, look, ...children) => h("td", { class: look, "data-head": headOf(place) }, children);
  const number = (place, found, look, more = null) =>
    cell(place, `number ${found > 0 && look ? `text-${look}` : ""}`, count(found), more ? beside(more) : null);
  const link = h(
    "a",
    { class: "row-link", href: queryOf(first), "data-focus": delivery.key, onclick: (event) => open(event, first) },
    h("span", { class: "strong" }, value(first.dagName)),
    h("span", { class: "quiet" }, tasksOf(delivery), " · ", value(first.run)),
  );
  if (delivery.denied) {
    return h("tr", null, h("th", { scope: "row" }, link), h("td", { colspan: 8, class: "quiet" }, delivery.denied === "reading" ? "Reading…" : delivery.denied));
  }
  const { accepted, requested, rejected, failed } = delivery;
  const wasWaited = delivery.delivered !== null;
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, link),
    cell(1, "", badge(delivery.state)),
    cell(2, "quiet nowrap", age(delivery.begun)),
    number(3, accepted, "", requested !== null && requested !== accepted ? `of ${count(requested)}` : null),
    number(4, delivery.delivered, "", wasWaited && delivery.total ? reached : null),
    number(5, failed ?? (rejected || null), "bad", failed !== null && rejected ? `+ ${count(rejected)} refused` : null),
    number(6, delivery.pending, "open"),
    cell(
      7,
      "",
      by.length
        ? [
            shareBar(by.map(([channel, one]) => [lookOf(channel), one]), whole),
            h("span", { class: "small nowrap" }, by.map(([channel], index) => [index ? " · " : "", `${channel} ${parts[index]}`])),
          ]
        : h("span", { class: "quiet" }, NONE),
    ),
    cell(8, "number nowrap", money(delivery.cost)),
  );
}

const HEADS = [
  ["Delivery", ""],
  ["State", ""],
  ["Began", ""],
  ["Accepted", "number"],
  ["Delivered", "number", "of accepted"],
  ["Failed", "number"],
  ["Open", "number"],
  ["By channel", "", "of delivered"],
  ["Cost", "number"],
];

const headOf = (place) => [HEADS[place][0], HEADS[place][2]].filter(Boolean).join(", ");

const options = (select, pairs) => {
  const before = select.value;
  const same = select.options.length === pairs.length && pairs.every(([id], index) => select.options[index].value === id);
  if (same) return;
  select.replaceChildren(...pairs.map(([id, words]) => h("option", { value: id }, words)));
  select.value = pairs.some(([id]) => id === before) ? before : "";
};

// `wanted` is kept by the page, and changed here; `changed(key)` is called after a change of what is looked for.
export function makeList(wanted, { open, changed, more }) {
  const rows = cache();
  const known = { dags: new Map(), runs: new Map() };
  const search = h("input", {
    id: "text",
    type: "search",
    "data-focus": "text",
    placeholder: "Search DAG, run, task, message id, bulk id",
    autocomplete: "off",
    maxlength: 200,
    spellcheck: "false",
    oninput: () => change("text", search.value),
  });
  search.value = wanted.text;
  const pick = (name, label, pairs) => {
    const select = h("select", { id: name, "aria-label": label, "data-focus": name, onchange: () => change(name, select.value) });
    options(select, pairs);
    select.value = wanted[name] ?? "";
    return select;
  };
  const state = pick("state", "State", [["", "All states"], ...Object.entries(KIND_WORDS)]);
  state.append(h("optgroup", { label: "One state" }, Object.entries(STATES).map(([id, { words }]) => h("option", { value: id }, words))));
  state.value = wanted.state;
  const span = pick("span", "Runs of", Object.entries(SPANS).map(([id, [words]]) => [id, words]));
  const dag = pick("dag", "DAG", [["", "All DAGs"]]);
  const run = pick("run", "Run", [["", "All runs"]]);
  const field = (label, control) => h("label", { class: "field" }, h("span", { class: "quiet" }, label), control);
  const body = h("tbody");
  const table = h(
    "table",
    { class: "list" },
    h("caption", { class: "unseen" }, "Deliveries, newest first"),
    h("thead", null, h("tr", null, HEADS.map(([words, look, more]) => h("th", { scope: "col", class: look }, words, more ? h("span", { class: "of" }, more) : null)))),
    body,
  );
  const title = h("h1", null, "OMNI deliveries");
  const asOf = h("span", { class: "quiet" });
  const notice = h("div", { class: "notices" });
  const empty = h("div", { class: "empty" });
  const older = h("button", { type: "button", class: "button", "data-focus": "older", onclick: more }, "Show older");
  const element = h(
    "div",
    null,
    h("div", { class: "head" }, title, h("span", { class: "spring" }), asOf),
    h(
      "form",
      { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      h("label", { class: "field wide" }, h("span", { class: "unseen" }, "Search"), search),
      field("DAG", dag),
      field("Run", run),
      field("State", state),
      field("Runs of", span),
    ),
    notice,
    h("div", { class: "scroll" }, table),
    empty,
    h("div", { class: "foot" }, older),
  );

  function change(name, found) {
    wanted[name] = found;
    if (name === "dag") wanted.run = "";
    changed(name);
  }

  // Show the filters that are in force.
  function choose() {
    search.value = wanted.text;
    for (const select of [state, span, dag, run]) select.value = wanted[select.id];
  }

  function learn(entries) {
    for (const entry of entries) {
      known.dags.set(entry.dag, entry.dagName);
      known.runs.set(JSON.stringify([entry.dag, entry.run]), entry);
    }
    const dags = new Map(known.dags);
    // One that is filtered by can be seen and taken back, though nothing of it is listed.
    if (wanted.dag && !dags.has(wanted.dag)) dags.set(wanted.dag, wanted.dag);
    options(dag, [["", "All DAGs"], ...[...dags].sort((a, b) => a[1].localeCompare(b[1]))]);
    const found = [...known.runs.values()].filter((entry) => !wanted.dag || entry.dag === wanted.dag);
    const runs = [...new Set(found.sort((a, b) => b.changed - a.changed).map((entry) => entry.run))].slice(0, 200);
    if (wanted.run && !runs.includes(wanted.run)) runs.unshift(wanted.run);
    options(run, [["", "All runs"], ...runs.map((id) => [id, id])]);
    dag.value = wanted.dag;
    run.value = wanted.run;
  }

  function update({ deliveries, total, more: left, cut, problem, loading, looked, next }) {
    learn(deliveries.map((delivery) => delivery.first));
    const shown = deliveries.filter((delivery) => matches(delivery, wanted));
    replace(
      body,
      shown.map((delivery) => rows(delivery.key, { ...delivery, ids: null }, () => rowOf(delivery, open))),
    );
    table.hidden = !shown.length;
    older.hidden = !left;
    title.textContent = loading && !deliveries.length ? "OMNI deliveries" : some(shown.length, "OMNI delivery", "OMNI deliveries");
    const going = shown.filter((delivery) => delivery.open).length;
    asOf.textContent = looked ? `${going ? `${going} under way · ` : ""}as of ${clock(looked)} · looks every ${next} s` : "";
    const notes = [];
    if (problem) notes.push(h("p", { class: "notice notice-bad", role: "alert" }, problem));
    if (cut) notes.push(h("p", { class: "notice" }, `This Airflow lists XComs by name, and there are ${count(total)}: the newest may be missing. Choose a DAG, or fewer days.`));
    const filtered = wanted.text || wanted.state;
    if (left && filtered) notes.push(h("p", { class: "notice" }, `Searched are the newest ${count(total - left)} of ${some(total, "report")}.`));
    notice.replaceChildren(...notes);
    if (shown.length) empty.replaceChildren();
    else if (loading) empty.replaceChildren(h("p", { class: "quiet" }, "Reading deliveries…"));
    else if (deliveries.length) empty.replaceChildren(h("p", { class: "quiet" }, "Nothing here matches the filters."));
    else if (!problem) {
      empty.replaceChildren(
        h("p", { class: "strong" }, "No deliveries in this time"),
        h("p", { class: "quiet" }, "A task that sends with an OMNI operator, or waits with OmniDeliverySensor, shows here as soon as it begins. Only DAGs that you may read are shown."),
      );
    }
    if (!loading) say(`${some(shown.length, "delivery", "deliveries")} shown, ${going} under way`);
  }

  return { element, update, learn, choose };
}

export const outside = (words, href, entry) =>
  h("a", { href: href(entry), onclick: openInAirflow }, value(words));
