// Elements. Every value becomes a text node or an attribute: nothing is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A value that somebody else wrote. Its direction stays its own, whatever marks are in it.
export const value = (text, attributes) => h("bdi", attributes, text);

// Put children into an element. Those that stay are not touched, so that no click falls between two of them, and the focus
// stays at what has the same name.
export function replace(element, children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.closest("[data-focus]") : null;
  const wanted = new Set(children);
  for (const one of [...element.childNodes]) if (!wanted.has(one)) one.remove();
  children.forEach((child, place) => {
    if (element.childNodes[place] !== child) element.insertBefore(child, element.childNodes[place] ?? null);
  });
  if (!focused || focused.contains(document.activeElement)) return;
  const again = focused.dataset.focus;
  [...element.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === again)?.focus();
}

// Builds a part anew only where what it shows has changed.
export function cache() {
  const known = new Map();
  return (key, shown, build) => {
    const signature = JSON.stringify(shown);
    const before = known.get(key);
    if (before?.signature === signature) return before.element;
    const element = build();
    known.set(key, { signature, element });
    return element;
  };
}

export function say(text) {
  const place = document.getElementById("said");
  if (place.textContent !== text) place.textContent = text;
}

export async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not on plain http, and not everywhere in a frame.
    const area = h("textarea", { class: "unseen", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const before = button.dataset.label ?? button.textContent;
  button.dataset.label = before;
  button.textContent = done ? "Copied" : "Not copied";
  say(button.textContent);
  setTimeout(() => (button.textContent = before), 1500);
}

// Airflow before 3.3.2 does not let its frames download.
export function mayDownload() {
  try {
    const frame = window.frameElement;
    return !frame || !frame.hasAttribute("sandbox") || frame.sandbox.contains("allow-downloads");
  } catch {
    return false;
  }
}

export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
