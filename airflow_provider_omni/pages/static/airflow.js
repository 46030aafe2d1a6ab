// Airflow's REST API, read with the viewer's own session. Relative addresses: it works below any path.

import { queryOf } from "./address.js";
import { deliveriesOf, keyOf, readReport } from "./delivery.js";

const ROOT = new URL("../", document.baseURI);
const KEY = "omni_delivery";
export const PAGE = 100;
export const MOST = 1000;
const SIDE_BY_SIDE = 6;
const DONE = new Set(["success", "failed"]);
// The name of this page in Airflow's addresses.
const OWN = "omni-deliveries";

export class AirflowError extends Error {
  constructor(status) {
    super(
      {
        0: "Airflow does not answer.",
        401: "Your session has ended. Reload this page to sign in again.",
        403: "You may not read the XComs of this DAG.",
        404: "This is not there, or no longer.",
      }[status] ?? `Airflow answered with an error (${status}).`,
    );
    this.status = status;
  }
}

async function get(path, query = {}) {
  const address = new URL(`api/v2/${path}`, ROOT);
  for (const [name, one] of Object.entries(query)) if (one !== null) address.searchParams.set(name, one);
  let answer;
  try {
    answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error" });
  } catch {
    throw new AirflowError(0);
  }
  if (!answer.ok) throw new AirflowError(answer.status);
  return answer.json();
}

const part = encodeURIComponent;
const task = (entry) => `dags/${part(entry.dag)}/dagRuns/${part(entry.run)}/taskInstances/${part(entry.task)}`;

const entryOf = (raw) => ({
  dag: raw.dag_id,
  dagName: raw.dag_display_name ?? raw.dag_id,
  run: raw.run_id,
  runAfter: raw.run_after ?? null,
  task: raw.task_id,
  taskName: raw.task_display_name ?? raw.task_id,
  map: raw.map_index ?? -1,
  stamp: raw.timestamp,
  changed: Date.parse(raw.timestamp),
  report: null,
  taskState: null,
  runState: null,
  problem: null,
});

const newestFirst = (entries) => entries.every((one, index) => index === 0 || entries[index - 1].changed >= one.changed);

export class Reader {
  // What an XCom said, by its place and the time of its writing: it is read once.
  #reports = new Map();
  #tasks = new Map();
  #runs = new Map();

  // The newest entries, without what they say. Airflow 3.1 knows no order but names: there all are listed, up to a limit.
  // `wanted`: dag, run, since (an ISO time); null is any.
  async entries(wanted, atLeast = PAGE) {
    const path = `dags/${part(wanted.dag ?? "~")}/dagRuns/${part(wanted.run ?? "~")}/taskInstances/~/xcomEntries`;
    const query = { xcom_key: KEY, order_by: "-timestamp", limit: PAGE, run_after_gte: wanted.since ?? null };
    const found = new Map();
    let total = 0;
    let ordered = true;
    let offset = 0;
    do {
      const answer = await get(path, { ...query, offset });
      const page = answer.xcom_entries.map(entryOf);
      total = answer.total_entries;
      for (const entry of page) found.set(keyOf(entry), entry);
      if (offset === 0 && total > PAGE) ordered = newestFirst(page);
      offset += PAGE;
      if (page.length === 0) break;
    } while (offset < total && found.size < (ordered ? atLeast : MOST));
    const entries = [...found.values()].sort((a, b) => b.changed - a.changed);
    const shown = entries.slice(0, atLeast);
    return { entries: shown, total, pages: offset / PAGE, cut: !ordered && total > MOST };
  }

  // Read what the entries say; `told` is called now and then, with what is there so far.
  async fill(entries, told = () => {}) {
    const waiting = [];
    for (const entry of entries) {
      const known = this.#reports.get(keyOf(entry));
      if (known?.stamp === entry.stamp) Object.assign(entry, known.found);
      else {
        // What it said before stands until what it says now is there.
        if (known) Object.assign(entry, known.found);
        waiting.push(entry);
      }
    }
    let next = 0;
    let done = 0;
    const work = async () => {
      while (next < waiting.length) {
        await this.#read(waiting[next++]);
        if (++done % 25 === 0) told();
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    await this.#askTasks(entries);
    await this.#askRuns(entries);
  }

  async #read(entry) {
    const found = { report: null, problem: null };
    try {
      const answer = await get(`${task(entry)}/xcomEntries/${KEY}`, { map_index: entry.map });
      found.report = readReport(answer.value);
    } catch (error) {
      if (!(error instanceof AirflowError) || error.status === 401) throw error;
      found.problem = error.message;
      if (![403, 404].includes(error.status)) return Object.assign(entry, found); // it is tried again
    }
    Object.assign(entry, found);
    this.#reports.set(keyOf(entry), { stamp: entry.stamp, found });
    return entry;
  }

  // A task that has died leaves a report that says it is under way: ask for the task where no news has come for long.
  async #askTasks(entries) {
    const now = Date.now();
    const open = entries.filter((entry) => ["sending", "waiting"].includes(entry.report?.state));
    const silent = open.filter((entry) => now - Math.max(entry.changed, entry.report.nextLook ?? 0) > 60000);
    await Promise.all(
      silent.slice(0, 50).map(async (entry) => {
        const path = entry.map < 0 ? task(entry) : `${task(entry)}/${entry.map}`;
        entry.taskState = await this.#stateOf(this.#tasks, keyOf(entry), path, 30000);
      }),
    );
  }

  // What nobody waits for may be waited for soon, as long as its run goes on.
  async #askRuns(entries) {
    const alone = deliveriesOf(entries).filter((delivery) => delivery.state === "sent" && !delivery.waits.length);
    const runs = new Map(alone.map(({ first }) => [JSON.stringify([first.dag, first.run]), first]));
    await Promise.all(
      [...runs].slice(0, 50).map(async ([key, { dag, run }]) => {
        const state = await this.#stateOf(this.#runs, key, `dags/${part(dag)}/dagRuns/${part(run)}`, 15000);
        for (const entry of entries) if (entry.dag === dag && entry.run === run) entry.runState = state;
      }),
    );
  }

  // The state of a task or a run, asked for anew when the last answer is older than so many milliseconds; what has ended
  // is asked for a tenth as often, since it may be cleared.
  async #stateOf(known, key, path, atMost) {
    const before = known.get(key);
    if (before && Date.now() - before.at < (DONE.has(before.state) ? 10 * atMost : atMost)) return before.state;
    let state = null;
    try {
      ({ state } = await get(path));
    } catch {
      // It is not known, then.
    }
    known.set(key, { at: Date.now(), state });
    return state;
  }
}

// Addresses of Airflow's own pages.
export const places = {
  dag: (entry) => new URL(`dags/${part(entry.dag)}`, ROOT).href,
  run: (entry) => new URL(`dags/${part(entry.dag)}/runs/${part(entry.run)}`, ROOT).href,
  task: (entry) => {
    const mapped = entry.map < 0 ? "" : `/mapped/${entry.map}`;
    return new URL(`dags/${part(entry.dag)}/runs/${part(entry.run)}/tasks/${part(entry.task)}${mapped}`, ROOT).href;
  },
  delivery: (entry) => new URL(`plugin/${OWN}${queryOf(entry)}`, ROOT).href,
};

function outerWindow() {
  try {
    return window.parent !== window && window.parent.location.pathname ? window.parent : null;
  } catch {
    return null; // a page of another origin around this one
  }
}

export const outerAddress = () => outerWindow()?.location ?? null;

// Airflow's own address names what is shown, too: so a reload shows the same, and it can be handed on. Its path stays, and
// what its router keeps beside it.
export function tellOuterAddress(query) {
  const outer = outerWindow();
  if (!outer || !new RegExp(`/plugin/${OWN}(/|$)`).test(outer.location.pathname)) return;
  if (outer.location.search !== query) outer.history.replaceState(outer.history.state, "", outer.location.pathname + query);
}

// Airflow's frame is sandboxed: its pages cannot be opened from inside of it, but by a link of the outer page.
export function openInAirflow(event) {
  if (window === window.parent || event.defaultPrevented) return;
  event.preventDefault();
  const link = window.parent.document.createElement("a");
  link.href = event.currentTarget.href;
  window.parent.document.body.append(link);
  link.click();
  link.remove();
}

// Rows of a ledger, from the one route of our own. `query`: only, limit, offset, format.
export async function ledgerRows(entry, query) {
  const address = new URL("ledger/rows", document.baseURI);
  const where = { dag_id: entry.dag, run_id: entry.run, task_id: entry.task, map_index: entry.map };
  for (const [name, one] of Object.entries({ ...where, ...query })) address.searchParams.set(name, one);
  let answer;
  try {
    answer = await fetch(address, { redirect: "error" });
  } catch {
    throw new AirflowError(0);
  }
  if (answer.ok) return query.format === "csv" ? answer.text() : answer.json();
  const problem = new AirflowError(answer.status);
  const told = await answer.json().catch(() => ({}));
  if (typeof told.detail === "string" && answer.status !== 401) problem.message = told.detail;
  throw problem;
}
