// One delivery: its way, its reasons, its times, its cost, and who was not reached.

import { ledgerRows, openInAirflow, places } from "./airflow.js";
import { lookOf, spreadPicture, wayPicture } from "./charts.js";
import { csv, endOf, wayOf } from "./delivery.js";
import { cache, copy, download, h, mayDownload, replace, value } from "./dom.js";
import { age, badge, channels, outside, tasksOf } from "./list.js";
import { NONE, clock, count, duration, goal, money, share, some, status } from "./words.js";

const ROWS = 100;

const section = (id, title, ...children) =>
  h("section", { "aria-labelledby": `about-${id}` }, h("h2", { id: `about-${id}` }, title), children);

const table = (caption, heads, rows, look = "scroll") =>
  h(
    "div",
    { class: look, tabindex: look === "scroll" ? null : 0 },
    h(
      "table",
      null,
      h("caption", { class: "unseen" }, caption),
      h("thead", null, h("tr", null, heads.map(([words, look]) => h("th", { scope: "col", class: look ?? "" }, words)))),
      h("tbody", null, rows),
    ),
  );

const figure = (words, number, look, more) =>
  h(
    "div",
    { class: "figure" },
    h("dt", null, words),
    h("dd", { class: look ? `text-${look}` : "" }, number, more ? h("span", { class: "quiet small" }, ` ${more}`) : null),
  );

function figures(delivery) {
  const { total } = delivery;
  const part = (found) => (found !== null && total ? share(found, total) : null);
  return h(
    "dl",
    { class: "figures" },
    figure("Requested", count(delivery.requested)),
    figure("Accepted", count(delivery.accepted), null, delivery.unconfirmed ? `+ ${count(delivery.unconfirmed)} unconfirmed` : null),
    figure("Delivered", count(delivery.delivered), delivery.delivered ? "ok" : null, part(delivery.delivered)),
    figure("Failed", count(delivery.failed), delivery.failed ? "bad" : null, part(delivery.failed)),
    figure("Open", count(delivery.pending), delivery.pending ? "open" : null, part(delivery.pending)),
    figure("Cost", money(delivery.cost), null, costMore(delivery)),
  );
}

function costMore(delivery) {
  if (Object.keys(delivery.estimate).length) return `estimated ${money(delivery.estimate)}`;
  const [[currency, amount] = []] = Object.entries(delivery.cost);
  if (!currency || !delivery.delivered || Object.keys(delivery.cost).length > 1) return null;
  return `${(Number(amount) / delivery.delivered).toFixed(4)} per delivered`;
}

function wayTable(way) {
  const rows = way.steps.map((step, index) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, value(step.channel)),
      h("td", { class: "number" }, count(step.asked)),
      h("td", { class: "number" }, count(step.delivered)),
      h("td", { class: "number" }, index + 1 < way.steps.length ? count(step.on) : NONE),
      h("td", { class: "number" }, count(step.lost)),
      h("td", { class: "number" }, count(step.pending)),
    ),
  );
  const heads = [["Step"], ["Asked", "number"], ["Delivered", "number"], ["Gone over", "number"], ["Failed", "number"], ["Open", "number"]];
  return h("details", { class: "as-table" }, h("summary", null, "The same as a table"), table("The way of the messages", heads, rows));
}

function waySection(delivery) {
  const way = wayOf(delivery);
  if (!way.requested) return null;
  return section(
    "way",
    "Way of the messages",
    h("div", { class: "scroll" }, wayPicture(way)),
    delivery.steps.length ? wayTable(way) : h("p", { class: "quiet" }, "What became of them is known as soon as a task waits for them: OmniDeliverySensor, in this run."),
  );
}

const lasting = (permanent) => ({ true: "would fail again", false: "may succeed later", null: NONE })[String(permanent)];

function reasonsSection(delivery) {
  const rows = [];
  const row = (where, words, name, permanent, number) =>
    h(
      "tr",
      null,
      h("td", null, where),
      h("td", { class: "strong" }, value(words)),
      h("td", { class: "quiet code" }, name ? value(name) : ""),
      h("td", { class: "quiet nowrap" }, permanent),
      h("td", { class: "number" }, count(number)),
    );
  for (const one of delivery.reasons) {
    const name = [one.status, one.error].filter(Boolean).join(" · ");
    rows.push(row(["Failed by ", value(one.channel ?? "?")], one.words ?? status(one.status ?? "unknown"), name, lasting(one.permanent), one.count));
  }
  for (const [name, number] of delivery.refused) rows.push(row("Refused", status(name), name, "", number));
  for (const [words, number] of delivery.quarantined) rows.push(row("Quarantined", words, "", "", number));
  if (!rows.length) return null;
  const heads = [["Where"], ["Reason"], ["Status"], ["If sent again"], ["Recipients", "number"]];
  return section("reasons", "Why not", table("Reasons of failures, refusals and quarantine", heads, rows));
}

function timesSection(delivery) {
  const { p50, p95, max } = delivery.times;
  if (p50 === null && max === null && !delivery.spread.some((one) => one.count)) return null;
  return section(
    "times",
    "Time to delivery",
    h(
      "dl",
      { class: "figures small-figures" },
      figure("Half within", duration(p50)),
      figure("95 % within", duration(p95)),
      figure("Longest", duration(max)),
    ),
    delivery.spread.filter((one) => one.count).length > 1 ? spreadPicture(delivery.spread) : null,
  );
}

function factsSection(delivery) {
  const by = channels(delivery);
  const facts = [
    ["Flow", delivery.flow.length ? delivery.flow.join(" → ") : null],
    ["Delivered by", by.length ? by.map(([channel, one], index) => [index ? ", " : "", h("span", { class: `dot dot-${lookOf(channel)}` }), `${channel} ${count(one)}`]) : null],
    ["Goal", goal(delivery.success)],
    ["Requests", delivery.requests === null ? null : count(delivery.requests)],
    ["SMS parts", delivery.parts === null ? null : count(delivery.parts)],
    ["Duplicates left out", delivery.duplicates ? count(delivery.duplicates) : null],
    ["Cost", Object.keys(delivery.cost).length ? `${money(delivery.cost)}${Object.keys(delivery.estimate).length ? ` of ${money(delivery.estimate)} estimated` : ""}` : null],
    ["Scenario", delivery.scenario ? value(delivery.scenario, { class: "code" }) : null],
    ["Ledger", delivery.ledgers.length ? delivery.ledgers.map((path) => value(path, { class: "code" })) : null],
  ].filter(([, found]) => found !== null);
  if (!facts.length) return null;
  return section("facts", "Facts", h("dl", { class: "facts" }, facts.map(([words, found]) => [h("dt", null, words), h("dd", null, found)])));
}

const fileName = (delivery, what) =>
  `${[delivery.first.dag, delivery.first.run, what].join("-").replace(/[^\w.-]+/g, "_")}.csv`;

function failedSection(delivery) {
  const { failedIds } = delivery;
  if (!failedIds.length) return null;
  const whole = failedIds.length < (delivery.failed ?? 0);
  return section(
    "failed",
    "Failed messages",
    h(
      "p",
      { class: "quiet" },
      whole ? `The first ${count(failedIds.length)} of ${count(delivery.failed)}, by message id.` : `${some(failedIds.length, "message")}, by message id.`,
      whole && delivery.ledgers.length ? " The ledger has all of them." : "",
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "button", class: "button", "data-focus": "copy-ids", onclick: (event) => copy(failedIds.join("\n"), event.currentTarget) }, "Copy ids"),
      csvButton("csv-ids", () => csv([["message_id"], ...failedIds.map((id) => [id])]), fileName(delivery, "failed")),
    ),
    h("ol", { class: "ids", tabindex: 0, "aria-label": "Ids of failed messages" }, failedIds.map((id) => h("li", { class: "code" }, value(id)))),
  );
}

// Where a frame may not download, the text goes to the clipboard instead.
function csvButton(focus, make, name) {
  const act = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const text = await make();
      if (mayDownload()) download(name, text);
      else await copy(text, button);
    } finally {
      button.disabled = false;
    }
  };
  return h("button", { type: "button", class: "button", "data-focus": focus, onclick: act }, mayDownload() ? "Download CSV" : "Copy as CSV");
}

const ONLY = { unreached: "Not reached", pending: "Open", all: "Everybody" };

function ledgerSection(delivery) {
  const entry = [...delivery.waits, ...delivery.sends].find((one) => one.report.ledger);
  if (!entry) return null;
  const place = h("div", { "aria-live": "polite" });
  const only = h("select", { id: "only", "aria-label": "Show", "data-focus": "only" }, Object.entries(ONLY).map(([id, words]) => h("option", { value: id }, words)));
  const problem = (error) => place.replaceChildren(h("p", { class: "notice" }, error.message));
  const show = async (offset) => {
    place.replaceChildren(h("p", { class: "quiet" }, "Reading the ledger…"));
    try {
      const found = await ledgerRows(entry, { only: only.value, limit: ROWS, offset });
      place.replaceChildren(...rowsOf(found, offset, show));
    } catch (error) {
      problem(error);
    }
  };
  return section(
    "ledger",
    "Recipients in the ledger",
    h("p", { class: "quiet" }, "By your own key, where the batch had a key_field, else by message id. Phone numbers are not shown."),
    h(
      "div",
      { class: "buttons" },
      h("label", { class: "field" }, h("span", { class: "quiet" }, "Show"), only),
      h("button", { type: "button", class: "button", "data-focus": "rows", onclick: () => show(0) }, "Read"),
      csvButton("csv-rows", () => ledgerRows(entry, { only: only.value, format: "csv" }).catch((error) => (problem(error), "")), fileName(delivery, "recipients")),
    ),
    place,
  );
}

function rowsOf(found, offset, show) {
  if (!found.rows.length) return [h("p", { class: "quiet" }, offset ? "There are no more." : "Nobody.")];
  const rows = found.rows.map((one) =>
    h(
      "tr",
      null,
      h("th", { scope: "row", class: "code" }, value(one.recipient)),
      h("td", null, value(one.outcome ?? one.state)),
      h("td", null, value(one.channel ?? "")),
      h("td", { class: "quiet" }, one.status ?? one.reason ? value(status(one.status ?? one.reason)) : ""),
      h("td", { class: "quiet nowrap" }, one.done_at ? clock(one.done_at * 1000) : ""),
      h("td", { class: "quiet code" }, value(one.message_id)),
    ),
  );
  const button = (words, to, can) => h("button", { type: "button", class: "button", disabled: !can, onclick: () => show(to) }, words);
  return [
    table("Recipients", [["Recipient"], ["Outcome"], ["Channel"], ["Status"], ["Done"], ["Message id"]], rows, "scroll rows"),
    h(
      "div",
      { class: "buttons" },
      button("Back", Math.max(offset - ROWS, 0), offset > 0),
      button("Next", offset + ROWS, found.more),
      h("span", { class: "quiet" }, `${count(offset + 1)} to ${count(offset + found.rows.length)}`),
    ),
  ];
}

const quoted = (found) => JSON.stringify(found);

export function codeToSendAgain(delivery) {
  const [ledger] = delivery.ledgers;
  return [
    "from airflow_provider_omni.ledger import unreached",
    "from airflow_provider_omni.operators.omni import OmniSendBatchOperator",
    "",
    "OmniSendBatchOperator(",
    '    task_id="send_again",',
    `    scenario_key=${quoted(delivery.scenario ?? "...")},`,
    `    recipients=unreached(${quoted(ledger)}),`,
    '    sms={"text": "..."},',
    `    ledger_path=${quoted(`${ledger.replace(/\/+$/, "")}-again`)},`,
    ")",
  ].join("\n");
}

function againSection(delivery) {
  const left = (delivery.failed ?? 0) + (delivery.rejected ?? 0);
  if (!left || delivery.open) return null;
  if (!delivery.ledgers.length) {
    return section(
      "again",
      "Send again",
      h("p", null, "This send has no ledger, so it is not known here who was not reached. Clearing the task sends nothing again to those whose message was accepted. For another message to the same people, use a new run or another ", h("code", null, "idempotency_key"), "."),
    );
  }
  const code = codeToSendAgain(delivery);
  return section(
    "again",
    `Send again to who was not reached`,
    h("p", { class: "quiet" }, "Left out are those who were reached, those still under way, and those for whom the same message would fail again."),
    h("pre", { tabindex: 0 }, h("code", null, code)),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "button", "data-focus": "copy-code", onclick: (event) => copy(code, event.currentTarget) }, "Copy code")),
  );
}

function tasksSection(delivery) {
  if (delivery.entries.length < 2) return null;
  const rows = delivery.entries.slice(0, 100).map((entry) => {
    const { report } = entry;
    const name = entry.map < 0 ? entry.taskName : `${entry.taskName} [${entry.map}]`;
    return h(
      "tr",
      null,
      h("th", { scope: "row" }, outside(name, places.task, entry)),
      h("td", null, report ? (report.kind === "wait" ? "Wait" : "Send") : ""),
      h("td", null, report ? badge(endOf(report)) : h("span", { class: "quiet" }, entry.problem ?? "Reading…")),
      h("td", { class: "number" }, count(report?.counts.accepted ?? report?.total ?? null)),
      h("td", { class: "quiet nowrap" }, clock(report?.at ?? entry.changed)),
    );
  });
  return section(
    "tasks",
    "Tasks",
    table("Tasks of this delivery", [["Task"], ["Kind"], ["State"], ["Accepted", "number"], ["As of"]], rows),
    delivery.entries.length > 100 ? h("p", { class: "quiet" }, `The first 100 of ${count(delivery.entries.length)}.`) : null,
  );
}


function stamp(delivery) {
  const parts = [["as of ", clock(delivery.asOf), " (", age(delivery.asOf), ")"]];
  // A look that brought nothing new writes nothing: then the next one is not known, but how often there is one.
  if (delivery.nextLook > Date.now()) parts.push(["next look ", age(delivery.nextLook)]);
  else if (delivery.every) parts.push(`nothing new since, looks every ${duration(delivery.every)}`);
  else if (delivery.nextLook) parts.push(["next look was due ", age(delivery.nextLook)]);
  if (delivery.open && delivery.until) parts.push(["until ", clock(delivery.until)]);
  if (delivery.state === "stopped") parts.push(["the task has ended without a last report"]);
  return parts.map((part, index) => [index ? " · " : "", part]);
}

// `back` is null where the page is a tab of a task.
export function makeOne(back) {
  const parts = cache();
  const head = h("div", { class: "one-head" });
  const body = h("div", { class: "one" });
  const problem = h("div", { class: "notices" });
  const element = h("div", null, head, problem, body);

  function update({ delivery, problem: told, loading, wanted }) {
    replace(problem, told ? [h("p", { class: "notice notice-bad", role: "alert" }, told)] : []);
    const up = back ? [parts("back", 0, () => h("a", { class: "back", href: "?", "data-focus": "back", onclick: back }, "← All deliveries"))] : [];
    if (!delivery) {
      replace(head, up);
      const words = loading
        ? [h("p", { class: "quiet" }, "Reading the delivery…")]
        : told
          ? []
          : [
              h("p", { class: "strong" }, "This task has no report yet"),
              h("p", { class: "quiet" }, "It comes when the task begins to send or to wait. Tasks that ran with an older version of the provider have none."),
              h("p", null, h("a", { href: places.task(wanted), onclick: openInAirflow }, "Open the task")),
            ];
      return replace(body, [h("div", { class: "empty" }, words)]);
    }
    const { first } = delivery;
    replace(head, [
      ...up,
      parts("title", [delivery.key, delivery.state, delivery.entries.length], () =>
        h(
          "div",
          { class: "head" },
          h("h1", null, tasksOf(delivery)),
          badge(delivery.state),
          h("span", { class: "spring" }),
          h("button", { type: "button", class: "button", "data-focus": "link", onclick: (event) => copy(places.delivery(first), event.currentTarget) }, "Copy link"),
        ),
      ),
      parts("where", delivery.key, () =>
        h("p", { class: "where" }, "DAG ", outside(first.dagName, places.dag, first), " · run ", outside(first.run, places.run, first), " · task ", outside(delivery.last.taskName, places.task, delivery.last)),
      ),
      parts("stamp", [delivery.asOf, delivery.nextLook, delivery.nextLook > Date.now(), delivery.state], () => h("p", { class: "quiet stamp" }, stamp(delivery))),
    ]);
    if (delivery.denied) return replace(body, [h("p", { class: "notice" }, delivery.denied === "reading" ? "Reading…" : delivery.denied)]);
    const shown = (...names) => names.map((name) => (delivery[name] instanceof Set ? null : delivery[name]));
    const counts = ["requested", "accepted", "unconfirmed", "rejected", "quarantinedCount", "duplicates", "total", "delivered", "failed", "pending"];
    const made = [
      ["errors", shown("errors"), () => errorsOf(delivery)],
      ["figures", shown(...counts, "cost", "estimate"), () => figures(delivery)],
      ["way", shown(...counts, "steps"), () => waySection(delivery)],
      ["reasons", shown("reasons", "refused", "quarantined"), () => reasonsSection(delivery)],
      ["times", shown("times", "spread"), () => timesSection(delivery)],
      ["facts", shown("flow", "byChannel", "success", "requests", "parts", "cost", "scenario", "ledgers"), () => factsSection(delivery)],
      ["tasks", delivery.entries.map((entry) => [entry.stamp, entry.report?.state, entry.problem]), () => tasksSection(delivery)],
      ["failed", shown("failedIds", "failed"), () => failedSection(delivery)],
      ["again", shown("failed", "rejected", "open", "ledgers", "scenario"), () => againSection(delivery)],
      ["ledger", [delivery.ledgers, delivery.key], () => ledgerSection(delivery)],
    ];
    return replace(body, made.map(([name, signature, build]) => parts(name, signature, build)).filter(Boolean));
  }

  return { element, update };
}

function errorsOf(delivery) {
  if (!delivery.errors.length) return null;
  return h(
    "div",
    { class: "notices" },
    delivery.errors.map((error) => h("p", { class: "notice notice-bad" }, error.code ? [h("span", { class: "code" }, value(error.code)), " "] : null, value(error.message ?? ""))),
  );
}
