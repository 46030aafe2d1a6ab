// The page: what it shows, and when it looks again.

import { decoded, filtersIn, queryOf, whereIn } from "./address.js";
import { AirflowError, MOST, outerAddress, PAGE, Reader, tellOuterAddress } from "./airflow.js";
import { deliveriesOf, keyOf } from "./delivery.js";
import { followTheme } from "./theme.js";
import { makeList, SPANS, STATE_FILTERS } from "./list.js";
import { makeOne } from "./one.js";
import { ago } from "./words.js";

const SOON = 5;
const LATER = 30;
const [PAGES, TYPING] = [/\/dags\/([^/]+)\/runs\/([^/]+)\/tasks\/([^/]+)(?:\/mapped\/(-?\d+))?\/plugin\//, 200];

const reader = new Reader();
const page = document.getElementById("page");
let atLeast = PAGE;
let timer = null;
let turn = 0;
let pause = SOON;
let last = { deliveries: [], total: 0, more: 0, cut: false };

// A tab of a task, or a page of a task's: what Airflow's own address says is right whatever the placeholders are.
function whereOfTask() {
  const found = outerAddress()?.pathname.match(PAGES);
  if (!found) return null;
  const [dag, run, task] = found.slice(1, 4).map(decoded);
  return { dag, run, task, map: found[4] === undefined ? -1 : Number(found[4]) };
}

const inTask = whereOfTask();
// Airflow before 3.3.2 opens this page without what stands in its own address.
const told = whereIn(location.search) || queryOf(null, filters(location.search)) ? location.search : (outerAddress()?.search ?? "");
const wanted = filters(told);
let where = inTask ?? whereIn(told);
tell("replaceState");

function filters(search) {
  return filtersIn(search, { state: STATE_FILTERS, span: Object.keys(SPANS) });
}

function tell(change) {
  const query = queryOf(where, wanted);
  history[change](null, "", query || location.pathname);
  if (!inTask) tellOuterAddress(query);
}

function go(event, to) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button > 0) return;
  event.preventDefault();
  where = to;
  tell("pushState");
  show();
  page.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

window.addEventListener("popstate", () => {
  where = inTask ?? whereIn(location.search);
  Object.assign(wanted, filters(location.search));
  list.choose();
  tell("replaceState");
  show();
});

let typing = null;
const list = makeList(wanted, {
  open: (event, entry) => go(event, entry),
  more: () => {
    atLeast += PAGE;
    look();
  },
  changed: (name) => {
    clearTimeout(typing);
    tell("replaceState");
    if (name === "dag" || name === "run" || name === "span") {
      atLeast = PAGE;
      look(true);
    } else typing = setTimeout(() => list.update(last), name === "text" ? TYPING : 0);
  },
});
let one = null;

function show() {
  clearTimeout(timer);
  if (where) one = makeOne(inTask ? null : (event) => go(event, null));
  page.replaceChildren(where ? one.element : list.element);
  document.title = where ? `${where.dag} · OMNI deliveries` : "OMNI deliveries";
  look(true);
}

const since = () => {
  const days = SPANS[wanted.span][1];
  return days === null ? null : new Date(Date.now() - days * 86400000).toISOString();
};

// Look at Airflow, show what is there, and look again. A later look takes the place of one that is under way.
async function look(fresh = false) {
  clearTimeout(timer);
  const mine = ++turn;
  const current = () => mine === turn;
  let open = false;
  try {
    open = where ? await lookAtOne(where, current, fresh) : await lookAtAll(current, fresh);
  } catch (error) {
    if (!current()) return;
    const problem = error instanceof AirflowError ? error.message : `This page has failed: ${error}`;
    if (where) one.update({ delivery: null, problem, loading: false, wanted: where });
    else list.update({ ...last, problem, loading: false });
    if (error instanceof AirflowError && error.status === 401) return;
  }
  if (current() && !document.hidden) timer = setTimeout(look, 1000 * (open ? pause : LATER));
}

async function lookAtAll(current, fresh) {
  if (fresh) list.update({ ...last, loading: true });
  const found = await reader.entries({ dag: wanted.dag || null, run: wanted.run || null, since: since() }, atLeast);
  // The more there is to list, the less often it is listed.
  pause = Math.max(SOON, 2 * found.pages);
  const update = (loading) => {
    if (!current()) return false;
    const deliveries = deliveriesOf(found.entries);
    // Who has just begun a run looks for it here.
    const open = deliveries.some((delivery) => delivery.open) || !deliveries.length;
    last = { deliveries, total: found.total, more: found.total - found.entries.length, cut: found.cut, looked: Date.now(), next: open ? pause : LATER };
    list.update({ ...last, loading });
    return open;
  };
  await reader.fill(found.entries, () => update(true));
  const open = update(false);
  if (current() && fresh && last.more && !wanted.dag && !wanted.run) await learn();
  return open;
}

// The names to filter by are those of more deliveries than are shown: listed, but not read.
async function learn() {
  const found = await reader.entries({ dag: null, run: null, since: since() }, MOST);
  list.learn(found.entries);
}

async function lookAtOne(place, current, fresh) {
  pause = SOON;
  if (fresh) one.update({ delivery: null, loading: true, wanted: place });
  const found = await reader.entries({ dag: place.dag, run: place.run, since: null }, MOST);
  await reader.fill(found.entries);
  if (!current()) return false;
  const delivery = deliveriesOf(found.entries).find((each) => each.entries.some((entry) => keyOf(entry) === keyOf(place)));
  one.update({ delivery: delivery ?? null, loading: false, wanted: place });
  return delivery ? delivery.open : true;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else look();
});

setInterval(() => {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-at]")) {
    const words = ago(Number(time.dataset.at), now);
    if (time.textContent !== words) time.textContent = words;
  }
}, 1000);

followTheme();
show();
