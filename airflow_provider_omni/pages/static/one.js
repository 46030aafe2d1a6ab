// One delivery: its way, its reasons, its times, its cost, and who was not reached.

import { AirflowError, ledgerRows, openInAirflow, places } from "./airflow.js";
import { lookOf, spreadPicture, wayPicture } from "./charts.js";
import { FAILED_COLUMNS, csv, endOf, failedRows, wayOf } from "./delivery.js";
import { cache, copy, download, h, mayDownload, replace, value } from "./dom.js";
import { age, badge, beside, channels, outside, tasksOf } from "./list.js";
import { NONE, clock, count, duration, goal, money, share, shares, some, status } from "./words.js";

const ROWS = 100;

const section = (id, title, ...children) =>
  h("section", { "aria-labelledby": `about-${id}` }, h("h2", { id: `about-${id}` }, title), children);

// Each cell knows the head of its column: a narrow page shows a row as a card.
function table(caption, heads, rows, look = "scroll") {
  for (const row of rows) [...row.children].forEach((cell, place) => cell.setAttribute("data-head", heads[place][0]));
  return h(
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
}

const figure = (words, number, look, more) =>
  h(
    "div",
    { class: "figure" },
    h("dt", null, words),
    h("dd", { class: look ? `text-${look}` : "" }, number, more ? beside(more) : null),
  );

function figures(delivery) {
  const { total, requested, accepted } = delivery;
  const parts = shares([delivery.delivered, delivery.failed, delivery.pending], total);
  const part = (found, place) => (found !== null && total ? `${parts[place]} of accepted` : null);
  const whole = accepted !== null && requested ? `${share(accepted, requested)} of requested` : null;
  const doubt = delivery.unconfirmed ? `+ ${count(delivery.unconfirmed)} unconfirmed` : null;
  return h(
    "dl",
    { class: "figures" },
    figure("Requested", count(requested)),
    figure("Accepted", count(accepted), null, [whole, doubt].filter(Boolean).join(", ") || null),
    figure("Delivered", count(delivery.delivered), delivery.delivered ? "ok" : null, part(delivery.delivered, 0)),
    figure("Failed", count(delivery.failed), delivery.failed ? "bad" : null, part(delivery.failed, 1)),
    figure("Open", count(delivery.pending), delivery.pending ? "open" : null, part(delivery.pending, 2)),
    figure("Cost", money(delivery.cost), null, costMore(delivery)),
  );
}

function costMore(delivery) {
  if (Object.keys(delivery.estimate).length) return `estimated ${money(delivery.estimate)}`;
  const [[currency, amount] = []] = Object.entries(delivery.cost);
  const each =
    Number(amount) && delivery.delivered && Object.keys(delivery.cost).length === 1
      ? `${(Number(amount) / delivery.delivered).toFixed(4)} per delivered`
      : null;
  return [each, delivery.parts ? `estimated: up to ${some(delivery.parts, "SMS part")}` : null].filter(Boolean).join("; ") || null;
}

// What the estimate reckoned with beside what came: the SMS of everybody, and who was sent one.
function partsAgainst(delivery) {
  if (delivery.parts === null) return null;
  const sms = delivery.steps.find((step) => step.channel === "SMS");
  const asked = sms ? sms.delivered + sms.failed + sms.pending : null;
  const told = asked === null ? "" : `; ${some(asked, "message")} went out as SMS`;
  return `up to ${count(delivery.parts)}, if everybody were sent the SMS${told}`;
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

const isNarrow = () => window.matchMedia("(max-width: 860px)").matches;

function waySection(delivery) {
  const way = wayOf(delivery);
  if (!way.requested) return null;
  return section(
    "way",
    "Way of the messages",
    h("div", { class: "scroll" }, wayPicture(way, isNarrow())),
    delivery.steps.length ? wayTable(way) : h("p", { class: "quiet" }, nobodyWaits(delivery)),
  );
}

function nobodyWaits(delivery) {
  if (delivery.state === "sent_open") return "Nothing waits for them yet. The run goes on: as soon as an OmniDeliverySensor in it begins, this page shows what became of them.";
  return "What became of them is known as soon as a task of this run waits for them: OmniDeliverySensor, or the send itself with wait_for_delivery=True.";
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

const classesOf = (delivery) => delivery.spread.filter((one) => one.count).length;

// One class alone is no distribution: then the times are among the facts.
function timesSection(delivery) {
  const { p50, p95, max } = delivery.times;
  if (classesOf(delivery) < 2) return null;
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
    spreadPicture(delivery.spread),
  );
}

function timesInWords(delivery) {
  const { p50, p95, max } = delivery.times;
  if (classesOf(delivery) > 1 || (p50 === null && max === null)) return null;
  return `half within ${duration(p50)}, 95 % within ${duration(p95)}, longest ${duration(max)}`;
}

function factsSection(delivery) {
  const by = channels(delivery);
  const facts = [
    ["Flow", delivery.flow.length ? delivery.flow.join(" → ") : null],
    ["Delivered by", by.length ? by.map(([channel, one], index) => [index ? ", " : "", h("span", { class: `dot dot-${lookOf(channel)}` }), `${channel} ${count(one)}`]) : null],
    ["Goal", goal(delivery.success)],
    ["Requests", delivery.requests === null ? null : count(delivery.requests)],
    ["Time to delivery", timesInWords(delivery)],
    ["SMS parts", partsAgainst(delivery)],
    ["Duplicates left out", delivery.duplicates ? count(delivery.duplicates) : null],
    ["On the suppression list", delivery.suppressed ? count(delivery.suppressed) : null],
    ["Cost", Object.keys(delivery.cost).length ? `${money(delivery.cost)}${Object.keys(delivery.estimate).length ? ` of ${money(delivery.estimate)} estimated` : ""}` : null],
    ["Scenario", delivery.scenario ? value(delivery.scenario, { class: "code" }) : null],
    ["Ledger", delivery.ledgers.length ? delivery.ledgers.map((path) => value(path, { class: "code" })) : null],
  ].filter(([, found]) => found !== null);
  if (!facts.length) return null;
  return section("facts", "Facts", h("dl", { class: "facts" }, facts.map(([words, found]) => [h("dt", null, words), h("dd", null, found)])));
}

const fileName = (delivery, what) =>
  `${[delivery.first.dag, delivery.first.run, what].join("-").replace(/[^\w.-]+/g, "_")}.csv`;

const ledgerOf = (delivery) => [...delivery.waits, ...delivery.sends].find((one) => one.report.ledger);

function failedSection(delivery) {
  const { failedIds } = delivery;
  if (!failedIds.length) return null;
  const cut = failedIds.length < (delivery.failed ?? 0);
  const entry = ledgerOf(delivery);
  const place = h("div", { "aria-live": "polite" });
  // A ledger has all of them, with the user's own keys. What the report has stands in for one that cannot be read.
  const make = async () => {
    try {
      if (entry) return await ledgerRows(entry, { only: "failed", format: "csv" });
    } catch (error) {
      if (!(error instanceof AirflowError)) throw error;
      place.replaceChildren(h("p", { class: "notice" }, `${error.message} The file has what is listed here.`));
    }
    return csv([FAILED_COLUMNS, ...failedRows(delivery)]);
  };
  const rows = failedRows(delivery).map(([id, channel, name, error, words]) =>
    h("li", { class: "code" }, value(id), name ? beside(`${channel} · ${words ?? status(name)}${error ? ` · ${error}` : ""}`) : null),
  );
  return section(
    "failed",
    "Failed messages",
    h(
      "p",
      { class: "quiet" },
      cut ? `The first ${count(failedIds.length)} of ${count(delivery.failed)}, by message id.` : `${some(failedIds.length, "message")}, by message id.`,
      entry ? " The CSV file has all of them, each by your own key." : " The CSV file has the step and the reason of each.",
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "button", class: "button", "data-focus": "copy-ids", onclick: (event) => copy(failedIds.join("\n"), event.currentTarget) }, "Copy ids"),
      csvButton("csv-ids", make, fileName(delivery, "failed")),
    ),
    place,
    h("ol", { class: "ids", tabindex: 0, "aria-label": "Failed messages" }, rows),
  );
}

// Where a frame may not download, the text goes to the clipboard instead.
function csvButton(focus, make, name) {
  const act = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const text = await make();
      if (text === null) return;
      if (mayDownload()) download(name, text);
      else await copy(text, button);
    } finally {
      button.disabled = false;
    }
  };
  return h("button", { type: "button", class: "button", "data-focus": focus, onclick: act }, mayDownload() ? "Download CSV" : "Copy as CSV");
}

const ONLY = { unreached: "Not reached", failed: "Failed", pending: "Open", all: "Everybody", quarantined: "Quarantined" };

// Who is meant by the choice; rows that were left out have never become recipients.
function onlyInWords(only, delivery) {
  const left = delivery.quarantinedCount;
  const apart = left ? ` ${some(left, "quarantined row")} ${left === 1 ? "is" : "are"} not among them: choose Quarantined.` : "";
  const words = {
    unreached: `Whose delivery failed, who was refused, and who was never posted to.${apart}`,
    failed: "Whose delivery failed.",
    pending: "Whose outcome is not known yet.",
    all: `Everybody for whom a request was made.${apart}`,
    quarantined: "Rows of the source that the last try left out, each with its place there and the reason.",
  };
  return words[only];
}

function ledgerSection(delivery) {
  const entry = ledgerOf(delivery);
  if (!entry) return null;
  const place = h("div", { "aria-live": "polite" });
  const meant = h("p", { class: "quiet", id: "meant" });
  const only = h(
    "select",
    { id: "only", "aria-label": "Show", "aria-describedby": "meant", "data-focus": "only", onchange: () => explain() },
    Object.entries(ONLY).map(([id, words]) => h("option", { value: id }, words)),
  );
  const explain = () => {
    meant.textContent = onlyInWords(only.value, delivery);
    place.replaceChildren();
  };
  explain();
  const problem = (error) => place.replaceChildren(h("p", { class: "notice" }, error.message));
  const show = async (offset) => {
    place.replaceChildren(h("p", { class: "quiet" }, "Reading the ledger…"));
    try {
      const chosen = only.value;
      const found = await ledgerRows(entry, { only: chosen, limit: ROWS, offset });
      if (chosen === only.value) place.replaceChildren(...rowsOf(found, offset, show, chosen));
    } catch (error) {
      problem(error);
    }
  };
  const csvOf = () =>
    ledgerRows(entry, { only: only.value, format: "csv" }).catch((error) => {
      problem(error);
      return null;
    });
  return section(
    "ledger",
    "Recipients in the ledger",
    h("p", { class: "quiet" }, "By your own key, where the batch had a key_field, else by message id. Phone numbers are not shown."),
    h(
      "div",
      { class: "buttons" },
      h("label", { class: "field" }, h("span", { class: "quiet" }, "Show"), only),
      h("button", { type: "button", class: "button", "data-focus": "rows", onclick: () => show(0) }, "Read"),
      csvButton("csv-rows", csvOf, fileName(delivery, "recipients")),
    ),
    meant,
    place,
  );
}

const localTime = (found) => (found ? clock(Date.parse(found)) : "");

const cells = (found) => found.map(([, look, ...told], index) => (index ? h("td", { class: look }, told) : h("th", { scope: "row", class: look }, told)));

const ofRecipient = (one) => [
  ["Recipient", "code", value(one.recipient)],
  ["Outcome", "", value(one.outcome ?? one.state)],
  ["Channel", "", value(one.channel ?? "")],
  ["Status", "", one.words || one.status || one.reason ? value(one.words ?? status(one.status ?? one.reason)) : "", one.error ? h("div", { class: "quiet code" }, value(one.error)) : null],
  ["Sent", "quiet nowrap", localTime(one.sent_at)],
  ["Done", "quiet nowrap", localTime(one.done_at)],
  ["Cost", "number", one.cost ? money(one.cost) : ""],
  ["Message id", "quiet code", value(one.message_id)],
];

const ofQuarantine = (one) => [
  ["Row", "number left", count(one.row)],
  ["Recipient", "code", value(one.recipient ?? "")],
  ["Reason", "", value(one.reason)],
];

function rowsOf(found, offset, show, only) {
  if (!found.rows.length) return [h("p", { class: "quiet" }, offset ? "There are no more." : "Nobody.")];
  const told = found.rows.map(only === "quarantined" ? ofQuarantine : ofRecipient);
  const heads = told[0].map(([head, look]) => [head, look.includes("number") ? look : ""]);
  const button = (words, to, can) => h("button", { type: "button", class: "button", disabled: !can, onclick: () => show(to) }, words);
  return [
    table("Recipients", heads, told.map((row) => h("tr", null, cells(row))), "scroll rows"),
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

// A whole DAG file: what has to be filled in are the texts, which the operator refuses as long as they are empty. It is
// read by people, so it says whom it sends to.
export function codeToSendAgain(delivery) {
  const many = delivery.ledgers.length > 1;
  const name = (index) => quoted(many ? `send_again_${index + 1}` : "send_again");
  const texts = {
    LINE: ['        line={"type": "TEXT", "text": ""},  # fill in, or leave the line out: then only SMS goes out'],
    SMS: ['        sms={"text": ""},  # fill in; {field} is filled with the field of each'],
  };
  const channels = delivery.flow.filter((channel) => Object.hasOwn(texts, channel));
  const contents = (channels.length ? channels : ["SMS"]).flatMap((channel) => texts[channel]);
  const sends = delivery.ledgers.flatMap((ledger, index) => [
    "    OmniSendBatchOperator(",
    `        task_id=${name(index)},`,
    `        scenario_key=${quoted(delivery.scenario ?? "")},`,
    `        recipients=unreached(${quoted(ledger)}),`,
    ...contents,
    `        ledger_path=${quoted(`${ledger.replace(/\/+$/, "")}-again`)},`,
    '        on_rejected="ignore",  # who is refused once more is counted, and the task succeeds',
    "    )",
  ]);
  // In a task or a shell that reaches the ledger; a URL is opened by Airflow's connection.
  const [first] = delivery.ledgers;
  const opened = first.includes("://") ? `ObjectStoragePath(${quoted(first)})` : "";
  return [
    `from airflow.sdk import DAG${opened ? ", ObjectStoragePath" : ""}`,
    "",
    "from airflow_provider_omni.ledger import unreached",
    "from airflow_provider_omni.operators.omni import OmniSendBatchOperator",
    "",
    `# To count them first, in a task: sum(1 for _ in unreached(${quoted(first)}).rows(${opened}))`,
    `with DAG(${quoted(`${delivery.first.dag.slice(0, 200)}_send_again`)}, schedule=None):`,
    ...sends,
  ].join("\n");
}

// How many `unreached` selects at most: whose delivery failed and may succeed later, and who was refused.
export function mostToSendAgain(delivery) {
  // Of a step that others should have come after, nobody knows whether these would fail again.
  const isLast = (one) => !delivery.flow.length || one.channel === delivery.flow.at(-1);
  const lost = delivery.reasons.filter((one) => one.permanent === true && isLast(one)).reduce((all, one) => all + one.count, 0);
  return { failed: delivery.failed ?? 0, refused: delivery.rejected ?? 0, lost, most: (delivery.failed ?? 0) + (delivery.rejected ?? 0) - lost };
}

function againSection(delivery) {
  const { failed, refused, lost, most } = mostToSendAgain(delivery);
  if (!(failed + refused) || delivery.open) return null;
  if (!delivery.ledgers.length) {
    return section(
      "again",
      "Send again",
      h("p", null, "This send has no ledger, so it is not known here who was not reached. Clearing the task sends nothing again to those whose message was accepted. For another message to the same people, use a new run or another ", h("code", null, "idempotency_key"), "."),
    );
  }
  const code = codeToSendAgain(delivery);
  const counted = [failed ? `${count(failed)} failed` : null, refused ? `${count(refused)} refused` : null].filter(Boolean).join(" and ");
  const without = lost ? `, without ${count(lost)} for whom the same message would fail again` : "";
  return section(
    "again",
    `Send again to up to ${some(most, "recipient")}`,
    h("p", null, `${counted}${without}, and whoever was never posted to.`),
    h("p", { class: "quiet" }, "Left out are those who were reached, and those still under way. ", h("code", null, "unreached(…)"), " reads who it is when the task runs, which says in its log how many it sends to. This is a DAG file of its own; fill in the texts. Nothing is sent from this page."),
    h("pre", { tabindex: 0 }, h("code", null, code)),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "button", "data-focus": "copy-code", onclick: (event) => copy(code, event.currentTarget) }, "Copy code")),
  );
}

const kindOf = (report) => (report.kind === "send" ? "Send" : report.send ? "Send and wait" : "Wait");

function tasksSection(delivery) {
  if (delivery.entries.length < 2) return null;
  const rows = delivery.entries.slice(0, 100).map((entry) => {
    const { report } = entry;
    const name = entry.map < 0 ? entry.taskName : `${entry.taskName} [${entry.map}]`;
    return h(
      "tr",
      null,
      h("th", { scope: "row" }, outside(name, places.task, entry)),
      h("td", null, report ? kindOf(report) : ""),
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
  if (delivery.state === "sent_open") parts.push(["the run goes on, and nothing waits yet"]);
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
          h("h1", null, outside(first.dagName, places.dag, first)),
          badge(delivery.state),
          h("span", { class: "spring" }),
          h("button", { type: "button", class: "button", "data-focus": "link", onclick: (event) => copy(places.delivery(first), event.currentTarget) }, "Copy link"),
        ),
      ),
      parts("where", delivery.key, () =>
        h("p", { class: "where" }, tasksOf(delivery), " · run ", outside(first.run, places.run, first), " · task ", outside(delivery.last.taskName, places.task, delivery.last)),
      ),
      parts("stamp", [delivery.asOf, delivery.nextLook, delivery.nextLook > Date.now(), delivery.state], () => h("p", { class: "quiet stamp" }, stamp(delivery))),
    ]);
    if (delivery.denied) return replace(body, [h("p", { class: "notice" }, delivery.denied === "reading" ? "Reading…" : delivery.denied)]);
    const shown = (...names) => names.map((name) => (delivery[name] instanceof Set ? null : delivery[name]));
    const counts = ["requested", "accepted", "unconfirmed", "rejected", "quarantinedCount", "duplicates", "suppressed", "total", "delivered", "failed", "pending"];
    const made = [
      ["errors", shown("errors"), () => errorsOf(delivery)],
      ["figures", shown(...counts, "cost", "estimate", "parts"), () => figures(delivery)],
      ["way", [isNarrow(), ...shown(...counts, "steps", "state")], () => waySection(delivery)],
      ["reasons", shown("reasons", "refused", "quarantined"), () => reasonsSection(delivery)],
      ["times", shown("times", "spread"), () => timesSection(delivery)],
      ["facts", shown("flow", "byChannel", "success", "requests", "duplicates", "suppressed", "times", "spread", "parts", "steps", "cost", "estimate", "scenario", "ledgers"), () => factsSection(delivery)],
      ["tasks", delivery.entries.map((entry) => [entry.stamp, entry.report?.state, entry.problem]), () => tasksSection(delivery)],
      ["failed", shown("failedIds", "failed", "reasons", "ledgers"), () => failedSection(delivery)],
      ["again", shown("failed", "rejected", "reasons", "open", "ledgers", "flow", "scenario"), () => againSection(delivery)],
      ["ledger", [delivery.ledgers, delivery.key, delivery.quarantinedCount], () => ledgerSection(delivery)],
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
