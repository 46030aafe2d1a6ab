// What the page shows, as it stands in its address: one delivery, and the filters of the list. Pure.

export const FILTERS = { text: "q", dag: "dag", run: "run", state: "state", span: "span" };
export const NO_FILTERS = { text: "", dag: "", run: "", state: "", span: "week" };

// As they stand in an address. Airflow 3.1 puts them there raw, later ones encoded; none writes a blank as "+".
export function decoded(found) {
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}

function membersOf(search) {
  const pairs = search.replace(/^\?/, "").split("&").map((pair) => pair.split(/=(.*)/s).map(decoded));
  return new Map(pairs.filter(([name, found]) => name && found));
}

// The delivery that an address names; null for the list.
export function whereIn(search) {
  const found = membersOf(search);
  const told = ["dag_id", "run_id", "task_id"].map((name) => found.get(name));
  // A placeholder that nobody has filled, such as {DAG_ID}, is nothing.
  if (told.some((one) => !one || /^\{[A-Z_]+\}$/.test(one))) return null;
  const map = Number.parseInt(found.get("map_index"), 10);
  return { dag: told[0], run: told[1], task: told[2], map: Number.isNaN(map) ? -1 : map };
}

// The filters that an address names. `known`: the states and spans that there are; another one is no filter.
export function filtersIn(search, known) {
  const found = membersOf(search);
  const told = { ...NO_FILTERS };
  for (const [name, short] of Object.entries(FILTERS)) {
    const one = found.get(short);
    if (one !== undefined && (known[name] ?? [one]).includes(one)) told[name] = one;
  }
  return told;
}

// The query of what is shown: filters stay in the address of a delivery, so that the way back leads to the same list.
export function queryOf(where, filters = NO_FILTERS) {
  const pairs = where ? [["dag_id", where.dag], ["run_id", where.run], ["task_id", where.task], ["map_index", where.map]] : [];
  for (const [name, short] of Object.entries(FILTERS)) if (filters[name] !== NO_FILTERS[name]) pairs.push([short, filters[name]]);
  return pairs.length ? `?${pairs.map(([name, one]) => `${name}=${encodeURIComponent(one)}`).join("&")}` : "";
}
